"""A node image for kind where none can be pulled: Debian's packages, and Kubernetes from its Go
modules.

It is tagged with a digest of all that it is made of, so an image with that tag never needs to be
made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from clusters import artifacts
from clusters.artifacts import PINNED
from clusters.kind import image_base, image_pods, image_programs, image_store
from clusters.progress import Progress
from clusters.toolchain import ArtifactError, cache_folder, locked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TextIO

    from clusters.kind.engine import Engine

NAME = "kube-proxy-conformance/node"
"""The repository of node images: theirs alone."""

FILES = Path(__file__).parent / "files"
"""What is put over the packages' files, where it is put."""

SPACE = 5 * 10**9
"""Bytes that building takes on the way."""

kind = image_programs.kind

_PARTS = ("archive", "image_pods", "image_store")
"""Modules that, as this one, decide what is in the image."""

_UNITS = ("containerd.service", "kubelet.service")
_MASKED = (
    *("systemd-sysctl.service", "systemd-binfmt.service"),
    *("systemd-modules-load.service", "modprobe@.service"),
    *("systemd-udevd.service", "systemd-udev-trigger.service"),
    *("systemd-udevd-control.socket", "systemd-udevd-kernel.socket"),
    *("systemd-logind.service", "systemd-random-seed.service", "systemd-remount-fs.service"),
    *("systemd-tmpfiles-setup.service", "systemd-tmpfiles-setup-dev.service"),
    *("getty.target", "console-getty.service"),
    *("systemd-tmpfiles-clean.timer", "systemd-update-utmp.service"),
    *("systemd-update-utmp-runlevel.service", "systemd-pstore.service"),
    *("dev-hugepages.mount", "sys-kernel-config.mount", "sys-kernel-debug.mount"),
    *("sys-kernel-tracing.mount", "sys-fs-fuse-connections.mount"),
    *("proc-sys-fs-binfmt_misc.automount", "proc-sys-fs-binfmt_misc.mount"),
)
"""Units that would set up, or change, the machine that the node runs on."""

_PLUGINS = ("host-local", "loopback", "portmap", "ptp")


def tag() -> str:
    """The tag of the image that this version of the suite makes."""
    return f"{NAME}:v{PINNED}-{_digest()}"


def is_own(name: str) -> bool:
    """Whether an image, by its name, is one that the suite made."""
    return name.startswith(f"{NAME}:")


def published(version: str = PINNED) -> str:
    """The node image that kind's makers publish for a version of Kubernetes (``1.36.3``)."""
    return f"kindest/node:v{version.removeprefix('v')}"


def ensure(engine: Engine, progress: TextIO | None = None) -> str:
    """Have ``engine`` hold the image, which is made where it is not in the cache; its tag.

    Raises ArtifactError, one line, where it cannot be made.
    """
    name = tag()
    if not engine.holds(name):
        packed = build(progress)
        with Progress("loading the node image", progress):
            changes = ["--change", 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]']
            changes += ["--change", "ENV container=docker"]
            engine.docker("import", *changes, str(packed), name, timeout=600)
        if engine.own:
            _forget_outdated(engine, name)
    return name


def _forget_outdated(engine: Engine, name: str) -> None:
    listed = engine.docker("image", "ls", "--format={{.Repository}}:{{.Tag}}", NAME).stdout.split()
    outdated = [one for one in listed if one != name]
    if outdated:
        engine.docker("image", "rm", "--force", *outdated)


def build(progress: TextIO | None = None) -> Path:
    """Make the image unless it is in the cache, and return its archive.

    Raises ArtifactError where root, a program or disk space is missing, or a step fails.
    """
    folder = _folder()
    path = folder / f"node-{_digest()}.tar"
    if path.exists():
        return path
    _check()
    with _working(progress) as work:
        if not path.exists():
            programs: dict[str, Path] = dict(artifacts.ensure(progress=progress))
            for name in ("kubernetes", "pause"):
                programs[name] = image_programs.ensure(name, progress)
            base = image_base.ensure(work, progress)
            with Progress("packing the node image (once)", progress) as step:
                packed = _pack(base, programs, work, step)
            for outdated in folder.glob("node-*.tar"):
                outdated.unlink()
            packed.replace(path)
    return path


def _folder() -> Path:
    return cache_folder() / "kind"


@contextlib.contextmanager
def _working(progress: TextIO | None) -> Iterator[Path]:
    """A folder to build in, one process at a time; what a killed one left in it is removed."""
    folder = _folder()
    with locked(folder / "build.lock", "waiting: another process builds a node image", progress):
        work = folder / "unfinished"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _digest() -> str:
    """A digest of all that the image is made of, and of how."""
    described = [image_base.location().name]
    described += [artifacts.location(name).parent.name for name in artifacts.NAMES]
    described += [image_programs.location(name).parent.name for name in ("kubernetes", "pause")]
    recipe = [Path(__file__).with_name(f"{name}.py") for name in ("image", *_PARTS)]
    for file in (*recipe, *sorted(path for path in FILES.rglob("*") if path.is_file())):
        described += [file.name, hashlib.sha256(file.read_bytes()).hexdigest()]
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()[:12]


def _check() -> None:
    if os.geteuid() != 0:
        raise ArtifactError("a node image can be built by root alone: run this as root")
    missing = {
        program: package
        for program, package in image_base.NEEDED.items()
        if not shutil.which(program)
    }
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        raise ArtifactError(
            f"a node image is built with {', '.join(missing)}: apt-get install {packages}"
        )
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < SPACE:
        raise ArtifactError(
            f"building a node image takes {SPACE / 1e9:.0f} GB and {folder} has"
            f" {free / 1e9:.1f} GB: make room, or set XDG_CACHE_HOME to where there is some"
        )


def _pack(base: Path, programs: Mapping[str, Path], work: Path, step: Progress) -> Path:
    root, archives, packed = work / "root", work / "pods", work / "node.tar"
    root.mkdir()
    archives.mkdir()
    image_base.run(["tar", "-C", str(root), "-xpf", str(base)], "tar", step)
    step.update("packing pod images")
    image_pods.write(root, programs, archives)
    step.update("loading pod images")
    image_store.load(root, archives, step)
    _furnish(root, programs["kubernetes"])
    step.update("packing the node")
    image_base.run(["tar", "-C", str(root), "--numeric-owner", "-cf", str(packed), "."], "tar")
    return packed


def _furnish(root: Path, kubernetes: Path) -> None:
    """Make the packages' system a node: its programs, what it starts, and what it must not."""
    shutil.copytree(FILES, root, dirs_exist_ok=True)
    shutil.copy(kubernetes, root / "usr/bin/kubernetes")
    for name in ("kubeadm", "kubectl", "kubelet"):
        (root / "usr/bin" / name).symlink_to("kubernetes")
    (root / "sbin/init").symlink_to("/usr/lib/systemd/systemd")
    (root / "kind/version").write_text(f"v{PINNED}")
    (root / "etc/kubernetes/manifests").mkdir(parents=True)
    (root / "opt/cni/bin").mkdir(parents=True)
    for plugin in _PLUGINS:
        shutil.copy(root / "usr/lib/cni" / plugin, root / "opt/cni/bin")
    units = root / "etc/systemd/system"
    for wanted in units.glob("*.wants"):
        shutil.rmtree(wanted)
    started = units / "multi-user.target.wants"
    started.mkdir()
    for unit in _UNITS:
        own = units / unit
        (started / unit).symlink_to(own if own.exists() else Path("/lib/systemd/system", unit))
    for unit in _MASKED:
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    (units / "default.target").unlink(missing_ok=True)
    (units / "default.target").symlink_to("/lib/systemd/system/multi-user.target")
