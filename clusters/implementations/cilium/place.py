"""Where an agent runs: mounts of its own, and a control group for all processes of its node.

Its BPF programs and maps are pinned in a filesystem that nobody else sees, and are gone with it.
The programs that translate where a process connects are attached to the control group of the node's
processes, which is the root to the agent: the machine's other processes are in other groups.
/proc/sys/kernel can only be read there: the agent would set sysctls of the whole machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Final

from clusters.implementations.cilium import compiler
from clusters.sandbox import INSIDE
from specification.addresses import CLUSTER_CIDRS

_ROOTS: Final = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
_PARENT: Final = "kube-proxy-conformance-cilium"
_ABANDONED: Final = 60.0  # seconds: one that is being made has no process in it yet
_CLANG: Final = tuple(Path(f"/usr/lib/llvm-{number}/bin") for number in range(21, 16, -1))
"""Where Debian has clang; what Cilium's own images have is 19."""
_GONE: Final = 5.0  # seconds that ended processes have to leave a control group

_HOLD: Final = """
set -e
mount --make-rprivate /
mkdir -p /run/cilium "$1/bpf" "$1/cgroup"
mount -t tmpfs tmpfs /run/cilium
mount -t bpf bpf "$1/bpf"
mount -t cgroup2 cgroup2 "$1/cgroup"
mount --bind /proc/sys/kernel /proc/sys/kernel
mount -o remount,bind,ro /proc/sys/kernel
echo up
exec sleep infinity
"""
_JOIN: Final = 'echo $$ > "$0/cgroup.procs" && exec "$@"'


def control_groups() -> Path:
    """The machine's control groups of version 2."""
    for root in _ROOTS:
        if (root / "cgroup.procs").exists() and (root / "cgroup.controllers").exists():
            return root
    raise FileNotFoundError(
        "no control groups of version 2 are mounted at /sys/fs/cgroup: boot with"
        " systemd.unified_cgroup_hierarchy=1"
    )


def _clang() -> Path:
    """The folder of the compiler, for the agent has no other way to call it than by its name."""
    for folder in _CLANG:
        if (folder / "clang").exists():
            return folder
    if found := shutil.which("clang"):
        return Path(found).parent
    raise FileNotFoundError(
        "there is no clang, with which the agent builds its programs: as root, apt-get install"
        " clang-19"
    )


class Place:
    """Where the agent of one node runs; ``close`` leaves nothing of it."""

    def __init__(
        self, node: str, netns: str, directory: Path, program: Path, interface: str
    ) -> None:
        self._home = _own_group()
        run = os.environ.get(INSIDE, os.getpid())
        self._group = control_groups() / _PARENT / f"{run}-{node}"
        self._group.mkdir(parents=True)
        library = directory / "lib"
        shutil.copytree(program / "bpf", library / "bpf")
        clang = _clang() / "clang"
        compiler.install(directory / "bin", clang, program / "compiled")
        argv = ["nsenter", f"--net={netns}", "--", "unshare", "--mount", "--cgroup", "--"]
        self._holder = subprocess.Popen(
            ["sh", "-c", _JOIN, str(self._group), *argv, "sh", "-c", _HOLD, "hold", str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        namespaces = ["nsenter", f"--target={self._holder.pid}", "--mount", "--cgroup", "--net"]
        self.enter = ["sh", "-c", _JOIN, str(self._group), *namespaces, "--"]
        """The command that starts a program of the node's."""
        try:
            self.pod_interface = self._link(interface)
        except BaseException:
            self.close()
            raise
        self.socket = Path(f"/proc/{self._holder.pid}/root/run/cilium/cilium.sock")
        self.values = {
            "tool": str(program / "cilium-dbg"),
            "lib": str(library),
            "bpf": str(directory / "bpf"),
            "cgroup": str(directory / "cgroup"),
            "path": f"{directory / 'bin'}:{clang.parent}:{os.environ['PATH']}",
            "native_ipv4": str(CLUSTER_CIDRS["IPv4"]),
            "native_ipv6": str(CLUSTER_CIDRS["IPv6"]),
        }

    @staticmethod
    def check(program: Path) -> None:
        """Raise FileNotFoundError where something is lacking that every place needs."""
        control_groups()
        _clang()
        for each in ("bpf", "crds"):
            if not (program / each).is_dir():
                raise FileNotFoundError(f"there is no folder {each} beside the agent")

    @staticmethod
    def remove_abandoned() -> None:
        """Remove the control groups of runs that were killed."""
        parent = control_groups() / _PARENT
        for each in parent.glob("*-*"):
            with contextlib.suppress(OSError):  # somebody is in it, or was quicker
                if time.time() - each.stat().st_mtime > _ABANDONED:
                    each.rmdir()

    def take(self, pid: int) -> None:
        """Have a process be one of the node's."""
        (self._group / "cgroup.procs").write_text(str(pid))

    def close(self) -> None:
        """End the holder, with which the mounts go, and remove the control group."""
        self._holder.kill()
        self._holder.wait()
        if self._holder.stdout:
            self._holder.stdout.close()
        end = time.monotonic() + _GONE
        while self._group.exists() and time.monotonic() < end:
            for pid in (self._group / "cgroup.procs").read_text().split():
                with contextlib.suppress(OSError):  # it has ended
                    (self._home / "cgroup.procs").write_text(pid)
            with contextlib.suppress(OSError):
                self._group.rmdir()
                break
            time.sleep(0.02)
        with contextlib.suppress(OSError):  # that of another node is there
            self._group.parent.rmdir()

    def _link(self, interface: str) -> Any:
        """What ``ip -json link`` says of an interface; raises OSError where nothing holds us."""
        if self._holder.stdout is None or self._holder.stdout.readline() != "up\n":
            raise OSError("the mounts of the agent cannot be made")
        argv = [*self.enter, "ip", "-json", "link", "show", interface]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)[0]


def _own_group() -> Path:
    """The control group that we are in, where processes go that are a node's no longer."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        if line.startswith("0::"):
            return control_groups() / line.removeprefix("0::/")
    return control_groups()
