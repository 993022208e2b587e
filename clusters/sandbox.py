"""A private user, mount, pid, network, ipc and uts namespace for a whole run.

Everything that the suite makes (network namespaces, rules, processes, temporary files) lives
inside, so the host is never touched and the kernel itself clears up, even after ``kill -9`` of the
outermost process.

``python -m clusters.sandbox COMMAND...`` is a program of its own because ``unshare(CLONE_NEWUSER)``
needs a process with a single thread, and importing numpy starts several. It stays outside as the
run's outermost process, passes signals on, and dies together with what it started.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from specification.errors import SandboxError

INSIDE = "KUBE_PROXY_CONFORMANCE_SANDBOX"
"""Environment variable that is set inside; its value is the outermost process's id as the host sees
it.
"""

NESTED = "KUBE_PROXY_CONFORMANCE_NESTED"
"""Environment variable with which a run inside a sandbox asks for another one, of its own."""

KEEP = "KUBE_PROXY_CONFORMANCE_KEEP"
"""Environment variable with which a run that needs a Docker asks for a sandbox with the machine's
cgroups in it and, unless its value is ``CGROUPS``, with the Unix socket that it names and a view of
all processes of the machine. Only root can have one.
"""

CGROUPS = "cgroups"
"""The value of ``KEEP`` for a Docker that runs in the sandbox itself."""

KEPT_SOCKET = Path("/run/host/docker.sock")
"""Where the socket is inside that ``KEEP`` names."""

KEPT_PROCESSES = Path("/run/host/proc")
"""Where the machine's processes are inside, if such a socket is."""

_CGROUPS = Path("/sys/fs/cgroup")

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUTS = 0x04000000
_CLONE_NEWIPC = 0x08000000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_MS_REC_PRIVATE = 0x4000 | 0x40000
_MS_BIND = 0x1000
_MS_REC_BIND = 0x4000 | 0x1000
_libc = ctypes.CDLL(None, use_errno=True)


def inside() -> bool:
    """Whether this process already runs in a sandbox."""
    return INSIDE in os.environ and NESTED not in os.environ


def enter(command: list[str]) -> NoReturn:
    """Replace this process by ``command`` in a sandbox; the process id, as the caller sees it,
    stays.
    """
    os.execv(sys.executable, [sys.executable, "-m", "clusters.sandbox", *command])


def tried(command: Sequence[str], timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command in a sandbox that is thrown away, inside this one where we are in one."""
    nested = {NESTED: "1"} if inside() else {}
    return subprocess.run(
        [sys.executable, "-m", "clusters.sandbox", *command],
        cwd=Path(__file__).parents[1],
        env={**os.environ, **nested},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def entering(command: str) -> str:
    """What to type in another terminal, outside, to run ``command`` in this sandbox."""
    own_users = Path("/proc/self/uid_map").read_text().split()[2] != "4294967295"
    users = " -U --preserve-credentials" if own_users else ""
    return f"nsenter -t {os.environ[INSIDE]}{users} -n -m {command}"


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends (prctl(2),
    PR_SET_PDEATHSIG).
    """
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _call(name: str, *args: object) -> None:
    if getattr(_libc, name)(*args) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str | None, flags: int = 0) -> None:
    _call("mount", source.encode(), target.encode(), kind and kind.encode(), flags, None)


def _new_user_namespace() -> None:
    """Enter a user namespace in which we are root."""
    uid, gid = os.getuid(), os.getgid()
    _call("unshare", _CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")


def _new_namespaces() -> None:
    """Enter new namespaces; root needs no user namespace, and large rule sets do not fit through
    one.

    (There, nft cannot have socket buffers beyond net.core.wmem_max, so a transaction of more than
    some hundred Services is refused: "Message too long"; see _prefer_legacy_iptables.)
    """
    try:
        if os.getuid() != 0:
            _new_user_namespace()
    except OSError as problem:
        raise SandboxError(
            "no private network namespace can be made: unprivileged user namespaces are forbidden"
            f" here ({problem}); allow them (sysctl kernel.unprivileged_userns_clone=1, or"
            " kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu) or run as root"
        ) from None
    try:
        _call(
            "unshare", _CLONE_NEWNS | _CLONE_NEWUTS | _CLONE_NEWIPC | _CLONE_NEWPID | _CLONE_NEWNET
        )
    except OSError as problem:
        raise SandboxError(
            f"no private network namespace can be made ({problem}); run on a kernel with"
            " namespaces, or give the container CAP_SYS_ADMIN"
        ) from None


def _furnish() -> None:
    """Give the new namespaces what programs expect to find: /proc, /sys, /run, temporary files,
    loopback.

    A sandbox inside another keeps what is in its /run, the outer one's temporary files among it.
    """
    _mount("none", "/", None, _MS_REC_PRIVATE)
    kept = _hold(os.environ.get(KEEP, ""))
    _mount("proc", "/proc", "proc")
    _mount("sysfs", "/sys", "sysfs")
    nested = os.environ.pop(NESTED, "") and INSIDE in os.environ
    own = ("/run/netns", "/run/nested") if nested else ("/run",)
    for folder in own:
        Path(folder).mkdir(exist_ok=True)
        _mount("tmpfs", folder, "tmpfs")
    for place, held in kept.items():
        _keep(held, place)
    temporary = Path("/run/nested/tmp" if nested else "/run/tmp")
    temporary.mkdir()
    os.environ["TMPDIR"] = str(temporary)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def _hold(wanted: str) -> dict[Path, int]:
    """Open what is to be kept, before other things are mounted over it; by where it goes."""
    sources: dict[Path, Path] = {}
    if wanted and _CGROUPS.is_dir():
        sources[_CGROUPS] = _CGROUPS
    if wanted not in ("", CGROUPS):
        sources |= {KEPT_SOCKET: Path(wanted), KEPT_PROCESSES: Path("/proc")}
    return {place: os.open(source, os.O_PATH) for place, source in sources.items()}


def _keep(held: int, place: Path) -> None:
    """Mount at ``place`` what is open as ``held``; of cgroups all hierarchies that are in it. (What
    is in /proc by now is the new one.)
    """
    source = Path(f"/proc/self/fd/{held}")
    place.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        place.mkdir(exist_ok=True)
    else:
        place.touch()
    _mount(str(source), str(place), None, _MS_REC_BIND if place == _CGROUPS else _MS_BIND)
    os.close(held)


def _prefer_legacy_iptables() -> None:
    """In a user namespace, put iptables' older backend first on PATH, where the machine has it.

    The one over nf_tables asks there for socket buffers beyond net.core.wmem_max and is refused, so
    that a transaction of more than some hundred rules fails ("Message too long"). Reports name the
    backend.
    """
    folder = Path("/run/iptables-legacy")
    folder.mkdir()
    for family, suffix in itertools.product(("iptables", "ip6tables"), ("", "-save", "-restore")):
        legacy = shutil.which(f"{family}-legacy{suffix}")
        if legacy:
            (folder / f"{family}{suffix}").symlink_to(legacy)
    os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"


def _run(command: list[str]) -> int:
    """Run ``command`` as the first process of new namespaces and return its exit code."""
    outermost, user = os.getpid(), os.getuid()
    _new_namespaces()
    alive, _held = os.pipe()  # ends with us: tells a child that was too late for the death signal
    child = os.fork()
    if child == 0:
        die_with_parent()
        os.close(_held)
        os.set_blocking(alive, False)
        try:
            if os.read(alive, 1) == b"":
                os._exit(1)
        except BlockingIOError:
            pass
        os.close(alive)
        try:
            _furnish()
            if user != 0:
                _prefer_legacy_iptables()
        except OSError as problem:
            print(f"error: the sandbox cannot be furnished: {problem}", file=sys.stderr)
            os._exit(2)
        os.environ[INSIDE] = str(outermost)
        # what a shell starts in the background would go on ignoring what is passed on
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execvp(command[0], command)

    def pass_on(number: int, _frame: object) -> None:
        os.kill(child, signal.SIGINT if number != signal.SIGQUIT else number)

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, pass_on)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the child as well
    _, status = os.waitpid(child, 0)
    if os.environ.get(KEEP) == CGROUPS:
        _remove_groups(outermost)
    return os.waitstatus_to_exitcode(status)


def _remove_groups(outermost: int) -> None:
    """Remove the control groups of a run, which stay though all in them has ended: those whose name
    begins with its number, in one whose name begins with ours.
    """
    for root in (_CGROUPS, *_CGROUPS.glob("*")):
        for group in root.glob(f"kube-proxy-conformance-*/{outermost}-*"):
            with contextlib.suppress(OSError):
                group.rmdir()
                group.parent.rmdir()


def main() -> int:
    """Run the command given as arguments in a sandbox; returns its exit code, or 2 where none can
    be made.
    """
    if (
        "TOX_ENV_NAME" in os.environ
    ):  # the launcher is then the outermost process, and we go with it
        die_with_parent()
    try:
        code = _run(sys.argv[1:])
    except SandboxError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
