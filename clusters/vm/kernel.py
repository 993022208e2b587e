"""The kernel of a virtual machine: the pinned package, another one by version, or a user's own."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clusters.build.artifacts import checksum
from clusters.build.cache import cache_folder, once
from clusters.build.progress import Progress
from specification.errors import ArtifactError

if TYPE_CHECKING:
    from typing import TextIO

LOCK = Path(__file__).parents[1] / "build" / "kernel.lock"
"""Names the package with the default kernel, its version and its checksum."""

_OWN = "or give one of your own: --kernel FILE --modules FOLDER"
_RECIPE = "1"
"""Part of every cache key: what is unpacked another way must not be mixed up with it."""


@dataclass(frozen=True)
class Kernel:
    """A kernel that can be booted."""

    release: str
    """As ``uname -r`` prints it."""
    image: Path
    modules: Path
    """The folder that is /lib/modules/RELEASE elsewhere, with the lists that depmod makes."""


def own(image: Path, modules: Path) -> Kernel:
    """The kernel that a user has built: its bzImage, and what ``modules_install`` has made of it.

    Raises ArtifactError where a file is missing.
    """
    if not image.is_file():
        raise ArtifactError(f"there is no kernel {image}: check --kernel")
    if not (modules / "modules.dep").is_file():
        raise ArtifactError(
            f"{modules} has no modules.dep: --modules names a folder such as"
            " /lib/modules/6.12.0, as `make modules_install` and `depmod` leave it"
        )
    return Kernel(modules.resolve().name, image.resolve(), modules.resolve())


def packaged(version: str = "", progress: TextIO | None = None) -> Kernel:
    """The kernel ``version`` (``6.1``) of this system's packages, from the cache where it is there.

    Without a version it is the pinned one; where that is offered no longer, what has come after it.
    Raises ArtifactError where there is none.
    """
    name, pinned, digest = _locked()
    if version and not f"{pinned}.".startswith(f"{version}."):
        name, pinned, digest = _offered(version), "", ""
    place = cache_folder() / "kernels" / f"{name}-{pinned or 'newest'}-{_RECIPE}"
    fetch = partial(_fetch, name, pinned, digest, place, progress)
    once(place, fetch, "waiting: another process fetches a kernel", progress)
    (modules,) = (place / "modules").iterdir()
    return Kernel(modules.name, place / "vmlinuz", modules)


def _locked() -> tuple[str, str, str]:
    found = re.search(r"^([^#=\s]+)=(\S+) sha256:(\w+)$", LOCK.read_text(), re.MULTILINE)
    if found is None:
        raise ArtifactError(f"{LOCK} names no package")
    return found[1], found[2], found[3]


def _offered(version: str) -> str:
    """The newest package with a kernel of that version; those for virtual machines are smallest."""
    _check_packages()
    pattern = rf"^linux-image-{re.escape(version)}[.-].*amd64$"
    argv = ["apt-cache", "--names-only", "search", pattern]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    names = [line.split()[0] for line in done.stdout.splitlines()]
    names = [name for name in names if not re.search(r"unsigned|dbg|-rt-", name)]
    if not names:
        raise ArtifactError(f"no package holds a kernel {version}: run apt-get update, {_OWN}")
    cloud = [name for name in names if "-cloud-" in name] or names
    return max(cloud, key=lambda name: [int(number) for number in re.findall(r"\d+", name)])


def _check_packages() -> None:
    for tool in ("apt-get", "dpkg-deb", "depmod"):
        if not shutil.which(tool):
            raise ArtifactError(f"no kernel can be had without {tool}: install it, {_OWN}")


def _fetch(name: str, version: str, digest: str, place: Path, progress: TextIO | None) -> None:
    """Download a package and unpack its kernel and modules into ``place``."""
    _check_packages()
    place.parent.mkdir(parents=True, exist_ok=True)
    with (
        Progress(f"fetching {name} (once)", progress) as step,
        tempfile.TemporaryDirectory(prefix="unfinished-", dir=place.parent) as folder,
    ):
        package, why = _download(f"{name}={version}" if version else name, Path(folder))
        if package is None and version:
            successor = _offered(".".join(version.split(".")[:2]))
            step.update(f"{name} {version} cannot be had: {successor}")
            (package, why), digest = _download(successor, Path(folder)), ""
        if package is None:
            raise ArtifactError(f"{name} cannot be downloaded ({why}): run apt-get update, {_OWN}")
        if digest and checksum(package) != digest:
            raise ArtifactError(f"{name} {version} is not the pinned one: its checksum differs")
        _unpack(package, Path(folder), place)


def _download(package: str, folder: Path) -> tuple[Path | None, str]:
    """The package's file, or ``None`` and the last thing that apt-get said."""
    argv = ["apt-get", "download", "-q", package]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    said = done.stderr.strip().splitlines() or ["apt-get said nothing"]
    return next(folder.glob("*.deb"), None), said[-1].removeprefix("E: ")


def _unpack(package: Path, folder: Path, place: Path) -> None:
    root, kept = folder / "root", folder / "kept"
    argv = ["dpkg-deb", "-x", str(package), str(root)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    images = list(root.glob("boot/vmlinu*"))
    modules = [*root.glob("lib/modules/*"), *root.glob("usr/lib/modules/*")]
    if done.returncode or len(images) != 1 or len(modules) != 1:
        raise ArtifactError(f"{package.name} holds no kernel with modules {done.stderr.strip()}")
    kept.mkdir()
    base = modules[0].parents[2]
    subprocess.run(["depmod", "-b", base, modules[0].name], check=True, capture_output=True)
    images[0].rename(kept / "vmlinuz")
    (kept / "modules").mkdir()
    modules[0].rename(kept / "modules" / modules[0].name)
    kept.rename(place)
