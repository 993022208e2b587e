"""What a virtual machine boots into: this machine's own tools and a kernel's modules, as one file.

The tools are those that kube-proxy and the suite call on any node, with the libraries they need,
and a Python that runs ``agent.py``. Nothing is compressed: under emulation it takes longer to
unpack than to load.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clusters.build import packing
from clusters.build.cache import cache_folder, digest, once
from clusters.build.progress import Progress
from clusters.vm.cpio import Archive
from specification.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TextIO

    from clusters.vm.kernel import Kernel

    Find = Callable[[str], str | None]

_HERE = Path(__file__).parent

INSTALLED = Path("/installed")
"""Where a machine has the programs that it was made with."""

PROGRAMS = {
    "iptables": "iptables iptables-save iptables-restore"
    " ip6tables ip6tables-save ip6tables-restore",
    "nftables": "nft",
    "ipset": "ipset",
    "ipvsadm": "ipvsadm",
    "conntrack": "conntrack",
    "iproute2": "ip",
    "kmod": "modprobe rmmod",
    "coreutils": "cat chmod cp date env ln mkdir mv rm sleep true uname",
    "mount": "mount",
    "util-linux": "unshare",
    "dash": "sh",
}
"""Programs that a node needs, by Debian's package."""

_EXTENSIONS = ("usr/lib/*/xtables", "usr/lib64/xtables", "usr/lib/xtables")
"""Where distributions keep the plug-ins of iptables."""

_TABLES = ("/etc/protocols", "/etc/services", "/etc/iproute2/rt_tables")
"""Names of numbers, which iptables, ipset and ip look up."""

_MODULES = re.compile(
    r"kernel/(net/(netfilter|ipv4|ipv6|sched)/"
    r"|drivers/(virtio/|char/virtio_console|char/hw_random/virtio|net/(virtio_net|dummy|veth)\.)"
    r"|(arch/\w+/)?crypto/crc32c)"
)
"""Kernel modules that a node may load; what they depend on comes along."""


def build(kernel: Kernel, progress: TextIO | None = None, *, emulated: bool = False) -> Path:
    """The archive for machines with ``kernel``, from the cache where nothing in it has changed.

    Those that are ``emulated`` get the legacy variant of iptables where this machine has it: it
    starts a quarter faster, and kube-proxy starts it twenty times a sync in IPVS mode.

    Raises ArtifactError where a program is missing on this machine.
    """
    files = dict(_files(kernel, _legacy if emulated else shutil.which))
    described = [(str(path), str(source), *_state(source)) for path, source in files.items()]
    image = cache_folder() / "images" / f"{kernel.release}-{digest(json.dumps(described))}.cpio"
    pack = partial(_pack, files, image, progress)
    return once(image, pack, "waiting: another process packs it", progress)


def with_programs(image: Path, programs: Iterable[Path], place: Path) -> None:
    """Write at ``place`` what ``image`` holds, and ``programs`` in the folder ``INSTALLED``.

    (The kernel unpacks one archive after another, far faster than a program could be sent later.)
    """
    with place.open("wb") as stream:
        with image.open("rb") as base:
            shutil.copyfileobj(base, stream, 1 << 20)
        archive = Archive(stream)
        for program in programs:
            archive.file(INSTALLED / program.name, program.read_bytes())
        archive.close()


def missing() -> dict[str, str]:
    """Programs of a node that this machine lacks, with Debian's package for each."""
    return {
        name: package
        for package, names in PROGRAMS.items()
        for name in names.split()
        if not shutil.which(name)
    }


def _state(source: Path | str) -> tuple[int, int]:
    if isinstance(source, str):
        return 0, 0
    state = source.stat()
    return state.st_size, state.st_mtime_ns


def _pack(files: dict[Path, Path | str], image: Path, progress: TextIO | None) -> None:
    with (
        Progress(f"packing {image.name} (once)", progress),
        tempfile.NamedTemporaryFile(dir=image.parent, delete=False) as stream,
    ):
        try:
            archive = Archive(stream.file)
            for path, source in files.items():
                if isinstance(source, str):
                    archive.link(path, Path(source))
                else:
                    archive.file(path, packing.compiled(path, source))
            archive.close()
        except BaseException:
            Path(stream.name).unlink()
            raise
        Path(stream.name).replace(image)


def _files(kernel: Kernel, find: Find) -> Iterator[tuple[Path, Path | str]]:
    """Every path in the archive, and the file it is a copy of or, as text, what it links to."""
    yield from _programs(find)
    yield from _python()
    for table in map(Path, _TABLES):
        if table.exists():
            yield table, table
    for module in _modules(kernel):
        yield Path("/lib/modules", kernel.release, module), kernel.modules / module
    yield Path("/init"), _HERE / "init"
    yield Path("/agent.py"), _HERE / "agent.py"


def _legacy(name: str) -> str | None:
    """Where a program is; of iptables its legacy variant, if there is one."""
    variant = re.sub(r"^(ip6?tables)", r"\1-legacy", name)
    return shutil.which(variant) or shutil.which(name)


def _programs(find: Find) -> Iterator[tuple[Path, Path | str]]:
    lacking = missing()
    if lacking:
        packages = " ".join(sorted(set(lacking.values())))
        raise ArtifactError(
            f"a virtual machine needs {', '.join(lacking)}: ./conform installs {packages}"
        )
    yield Path("/sbin"), "bin"  # the kernel calls /sbin/modprobe
    binaries = {Path(sys.executable).resolve()}
    for name in " ".join(PROGRAMS.values()).split():
        program = Path(str(find(name))).resolve()
        yield Path("/bin", name), str(Path("/programs", program.name))
        binaries.add(program)
    for program in sorted(binaries):
        yield Path("/programs", program.name), program
    plugins = [plugin for place in _EXTENSIONS for plugin in Path("/").glob(f"{place}/*.so")]
    for plugin in plugins:
        yield plugin, plugin
    yield from packing.libraries([*binaries, *plugins])


def _python() -> Iterator[tuple[Path, Path | str]]:
    """The interpreter, and the modules that the agent imports, compiled."""
    yield Path("/bin/python3"), str(Path("/programs", Path(sys.executable).resolve().name))
    agent = str(_HERE / "agent.py")
    found = list(packing.modules(f"import runpy; runpy.run_path({agent!r})"))
    for place, source in found:
        yield Path("/usr", packing.PYTHON, place), source
    yield from packing.libraries(source for _, source in found if source.suffix == ".so")


def _modules(kernel: Kernel) -> Iterator[Path]:
    """The kernel modules of a node, with those they depend on and the lists that modprobe reads."""
    needed: dict[str, list[str]] = {}
    for line in (kernel.modules / "modules.dep").read_text().splitlines():
        module, _, others = line.partition(":")
        needed[module] = others.split()
    wanted = {module for module in needed if _MODULES.match(module)}
    wanted |= {other for module in wanted for other in needed[module]}
    yield from map(Path, sorted(wanted))
    for listed in sorted(kernel.modules.glob("modules.*")):
        yield Path(listed.name)
