"""The images of the pods that kubeadm starts, each of which is a program and what it calls."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from clusters.build.artifacts import PINNED
from clusters.kind.image import archive
from specification.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

REPOSITORY = "kube-proxy-conformance.invalid"
"""Where the images seem to come from: nowhere, so that none is taken for a published one."""

SANDBOX = f"{REPOSITORY}/pause:node"
"""The image of pods' first container, by the name in the node's configuration of containerd."""

_TOOLS = (
    "iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore"
    " nft ipset conntrack ip modprobe sh cat chmod env grep ln mkdir mount sed sleep true unshare"
)
"""What kube-proxy calls, and what a program in front of one of them may need."""

_MERGED = {Path("/", name): f"usr/{name}" for name in ("bin", "lib", "lib64", "sbin")}
_BIN = Path("/usr/local/bin")


def names(kubeadm: Path) -> dict[str, str]:
    """The image that kubeadm wants for each program, such as ``etcd``."""
    done = subprocess.run(
        [
            "kubeadm",
            "config",
            "images",
            "list",
            f"--kubernetes-version=v{PINNED}",
            f"--image-repository={REPOSITORY}",
        ],
        executable=kubeadm,
        capture_output=True,
        text=True,
        check=False,
    )
    listed = re.findall(rf"^({re.escape(REPOSITORY)}/(\S+):\S+)$", done.stdout, re.MULTILINE)
    if done.returncode or not listed:
        raise ArtifactError(f"kubeadm names no images: {done.stderr.strip() or done.stdout}")
    return {program: image for image, program in listed}


def write(root: Path, programs: Mapping[str, Path], folder: Path) -> None:
    """Write the archives of all pod images into ``folder``; ``root`` is the node's file system."""
    named = names(programs["kubernetes"])
    for name in ("kube-apiserver", "etcd"):
        archive.write(folder / f"{name}.tar", [named[name]], {_BIN / name: programs[name]})
    pause = [named["pause"], SANDBOX]
    archive.write(folder / "pause.tar", pause, {Path("/pause"): programs["pause"]}, ["/pause"])
    archive.write(
        folder / "controllers.tar",
        [named["kube-controller-manager"], named["kube-scheduler"]],
        {
            _BIN / "kubernetes": programs["kubernetes"],
            _BIN / "kube-controller-manager": "kubernetes",
            _BIN / "kube-scheduler": "kubernetes",
        },
    )
    write_proxy(folder / "kube-proxy.tar", named["kube-proxy"], programs["kube-proxy"], root)


def write_proxy(
    place: Path,
    name: str,
    binary: Path,
    root: Path = Path("/"),
    more: archive.Files | None = None,
) -> None:
    """Write an image of a kube-proxy, with the tools that the system at ``root`` has, and with the
    files ``more`` instead of or beside them.

    Raises ArtifactError where that system lacks one.
    """
    files = {**_MERGED, **dict(_tools(root)), _BIN / "kube-proxy": binary, **(more or {})}
    archive.write(place, [name], files, ["/usr/local/bin/kube-proxy"])


def _tools(root: Path) -> Iterator[tuple[Path, Path | str]]:
    """Every path of the tools, and the file it is a copy of or, as text, what it links to."""
    programs: set[Path] = set()
    for name in _TOOLS.split():
        found = _find(root, name)
        program = _real(root, found)
        programs.add(program)
        if program != found:
            yield found, str(program)
    plugins = [Path("/", file.relative_to(root)) for file in root.glob("usr/lib/*/xtables/*.so")]
    for path in (*sorted(programs), *plugins, *_libraries(root, [*programs, *plugins])):
        yield path, root / _real(root, path).relative_to("/")
    for table in (Path("/etc/protocols"), Path("/etc/services")):
        if (root / table.relative_to("/")).exists():
            yield table, root / table.relative_to("/")


def _find(root: Path, name: str) -> Path:
    for folder in ("usr/sbin", "usr/bin"):
        if (root / folder / name).is_symlink() or (root / folder / name).exists():
            return Path("/", folder, name)
    raise ArtifactError(f"an image of kube-proxy needs {name}, and {root} has none in /usr")


def _real(root: Path, path: Path) -> Path:
    """Where ``path`` leads to, links followed as from inside ``root``."""
    place = root / path.relative_to("/")
    here = place.parent.resolve() / place.name
    while here.is_symlink():
        target = here.readlink()
        here = root / target.relative_to("/") if target.is_absolute() else here.parent / target
        here = here.parent.resolve() / here.name
    return Path("/", here.relative_to(root.resolve()))


def _libraries(root: Path, binaries: Iterable[Path]) -> list[Path]:
    """The shared libraries, and the loader, by the names that the dynamic loader looks for."""
    done = subprocess.run(
        ["chroot", root, "ldd", *binaries], capture_output=True, text=True, check=False
    )
    found = re.findall(r"(?:=> )?(/\S+) \(0x", done.stdout)
    merged = {Path(f"/usr{name}" if name.startswith("/lib") else name) for name in found}
    return sorted(merged)
