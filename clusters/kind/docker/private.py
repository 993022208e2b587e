"""A Docker of the suite's own, in its sandbox: where that ends, nothing of it goes on running.

Its data lie in the cache, so that the node image is there at the next start. A run that finds them
in use takes another folder, which it removes in the end.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from clusters.build import cache
from clusters.kind.docker import cgroups
from clusters.kind.docker.engine import Engine, answers
from clusters.kind.image import programs as image_programs
from clusters.process import Daemon, LocalProcess
from specification.errors import ArtifactError, StartError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEEDED = {
    "docker": "docker.io or docker-cli",
    "dockerd": "docker.io",
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
}
"""Programs that it needs, with Debian's package."""

_FIRST = "docker"
_SHIELDED = ("/etc", "/lib")
_PATIENCE = 90.0  # seconds for its start, and for its end


def root(name: str) -> Path:
    """The folder with the data of the private Docker of that name."""
    return cache.cache_folder() / "kind" / name


def roots() -> list[Path]:
    """All such folders."""
    return sorted(path for path in root(_FIRST).parent.glob(f"{_FIRST}*") if path.is_dir())


def left(name: str) -> bool:
    """Whether there is more in its folder than what its next start has use for."""
    folder = root(name)
    return folder.is_dir() and (name != _FIRST or any((folder / "containers").glob("*")))


def claimed(name: str) -> contextlib.AbstractContextManager[bool]:
    """Be the one process that runs the private Docker ``name``, for as long as the block lasts;
    false where another is.
    """
    return cache.claimed(root(f"{name}.lock"))


@contextlib.contextmanager
def private() -> Iterator[Engine]:
    """Start one, or find out why it does not start, and end it when the block ends.

    Raises ArtifactError with one line.
    """
    _check_programs()
    with contextlib.ExitStack() as stack:
        name = _claim(stack)
        run = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="docker-")))
        if name != _FIRST:
            stack.callback(shutil.rmtree, root(name), ignore_errors=True)
        stack.callback(cgroups.remove, name)
        engine = Engine(f"unix://{run}/docker.sock", Path("/proc"), own=True)
        try:
            daemon = _start(name, run)
        except StartError:
            # What an earlier one left that was killed at the wrong moment may be the reason.
            shutil.rmtree(root(name), ignore_errors=True)
            try:
                daemon = _start(name, run)
            except StartError as problem:
                raise ArtifactError(f"no Docker of the suite's own: {_reason(problem)}") from None
        stack.callback(daemon.stop, _PATIENCE)
        stack.callback(_clear, engine)
        _clear(engine)
        yield engine


def _claim(stack: contextlib.ExitStack) -> str:
    """The first name that nobody uses."""
    for number in itertools.count(1):
        name = _FIRST if number == 1 else f"{_FIRST}-{number}"
        with contextlib.ExitStack() as attempt:
            if attempt.enter_context(claimed(name)):
                stack.push(attempt.pop_all())
                return name
    raise AssertionError


def _start(name: str, run: Path) -> Daemon:
    cgroups.remove(name)
    data = root(name)
    data.mkdir(parents=True, exist_ok=True)
    socket, configuration = run / "docker.sock", run / "daemon.json"
    configuration.write_text("{}")  # what the machine's own says is meant for another
    argv = [
        *("dockerd", f"--host=unix://{socket}", f"--data-root={data}", f"--exec-root={run}/exec"),
        *(f"--pidfile={run}/docker.pid", f"--config-file={configuration}"),
        # Whatever runs on the machine, no systemd can be asked from here.
        "--exec-opt=native.cgroupdriver=cgroupfs",
        f"--cgroup-parent=/{cgroups.PARENT}/{name}",
    ]
    if _lacks_capability():
        bounded = image_programs.ensure("bounded")
        argv += [f"--add-runtime=bounded={bounded}", "--default-runtime=bounded"]
    log = run / "docker.log"
    daemon = Daemon("dockerd", lambda: LocalProcess([*_apart(run), *argv], log), log)
    try:
        daemon.wait_ready(lambda: answers(socket), _PATIENCE)
    except BaseException:
        daemon.kill()
        raise
    return daemon


def _apart(run: Path) -> list[str]:
    """A command in front of another one, whose mounts are its own, and which writes elsewhere what
    it would write into system folders: dockerd makes itself a key, and kind a folder for modules.
    """
    mounts = []
    for number, folder in enumerate(dict.fromkeys(Path(name).resolve() for name in _SHIELDED)):
        upper, work = run / f"upper{number}", run / f"work{number}"
        upper.mkdir(exist_ok=True)
        work.mkdir(exist_ok=True)
        layers = f"lowerdir={folder},upperdir={upper},workdir={work}"
        mounts.append(f"mount -t overlay -o {layers} none {folder}")
    return ["unshare", "--mount", "sh", "-ec", f'{"; ".join(mounts)}; exec "$@"', "sh"]


def _clear(engine: Engine) -> None:
    """Remove all containers and volumes, those included that an earlier run left."""
    with contextlib.suppress(ArtifactError):  # what it cannot do now it does at its next start
        containers = engine.docker("ps", "--all", "--quiet").stdout.split()
        if containers:
            engine.docker("rm", "--force", "--volumes", *containers, timeout=_PATIENCE)
        volumes = engine.docker("volume", "ls", "--quiet").stdout.split()
        if volumes:
            engine.docker("volume", "rm", "--force", *volumes, timeout=_PATIENCE)


def _reason(problem: StartError) -> str:
    """The last thing that its log says about an error."""
    lines = str(problem).splitlines()
    telling = [line for line in lines[1:] if "level=fatal" in line or "failed" in line]
    return (telling or lines)[-1]


def prepare() -> None:
    """Outside the sandbox, make what one needs that is made here.

    Raises ArtifactError where a program is missing.
    """
    _check_programs()
    if _lacks_capability():
        image_programs.ensure("bounded")


def _check_programs() -> None:
    missing = [name for name in _NEEDED if not shutil.which(name)]
    if missing:
        packages = " ".join(dict.fromkeys(_NEEDED[name] for name in missing))
        raise ArtifactError(
            f"no Docker runs here, and one of the suite's own needs {', '.join(missing)}: start"
            f" yours, or apt-get install {packages}"
        )


def _lacks_capability() -> bool:
    """Whether a capability that "privileged" containers are given cannot be had here."""
    sys_resource = 24  # linux/capability.h; of all, machines lack this one
    status = Path("/proc/self/status").read_text()
    match = re.search(r"^CapBnd:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return match is not None and not int(match[1], 16) & 1 << sys_resource
