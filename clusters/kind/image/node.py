"""What makes a node of Debian's packages: programs, what is started, and what must not be."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from clusters.build.artifacts import PINNED
from clusters.kind.image import base as image_base
from clusters.kind.image import pods as image_pods
from clusters.kind.image import store as image_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clusters.build.progress import Progress

FILES = Path(__file__).parents[1] / "files"
"""What is put over the packages' files, where it is put."""

SETTINGS = (
    'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]',
    "ENV container=docker",  # so that systemd knows where it is
)
"""The image's own, as instructions of a Dockerfile."""

_STARTED = ("containerd.service", "kubelet.service")
_MASKED = (
    *("systemd-sysctl.service", "systemd-binfmt.service"),
    *("systemd-modules-load.service", "modprobe@.service"),
    *("systemd-udevd.service", "systemd-udev-trigger.service"),
    *("systemd-udevd-control.socket", "systemd-udevd-kernel.socket"),
    *("systemd-logind.service", "systemd-random-seed.service", "systemd-remount-fs.service"),
    *("systemd-tmpfiles-setup.service", "systemd-tmpfiles-setup-dev.service"),
    *("systemd-tmpfiles-clean.timer", "systemd-update-utmp.service"),
    *("systemd-update-utmp-runlevel.service", "systemd-pstore.service"),
    *("getty.target", "console-getty.service"),
    *("dev-hugepages.mount", "sys-kernel-config.mount", "sys-kernel-debug.mount"),
    *("sys-kernel-tracing.mount", "sys-fs-fuse-connections.mount"),
    *("proc-sys-fs-binfmt_misc.automount", "proc-sys-fs-binfmt_misc.mount"),
)
"""Units that would set up, or change, the machine that the node runs on."""

_PLUGINS = ("host-local", "loopback", "portmap", "ptp")


def pack(base: Path, programs: Mapping[str, Path], work: Path, step: Progress) -> Path:
    """Write the node's whole file system into an archive in the folder ``work``; where it is."""
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
    for unit in _STARTED:
        own = (units / unit).exists()
        (started / unit).symlink_to(Path("/etc" if own else "/lib", "systemd/system", unit))
    for unit in _MASKED:
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    (units / "default.target").unlink(missing_ok=True)
    (units / "default.target").symlink_to("/lib/systemd/system/multi-user.target")
