"""A kind node: a container of a Docker, whose network stack gets the lab's wires from outside."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING

from clusters import netns
from clusters.inspection.machine import host as inspect_host
from clusters.kind.docker.engine import answers
from clusters.node import SYSCTLS
from clusters.system import Joined
from specification.errors import NodeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clusters.kind.docker.engine import Engine
    from clusters.wires import Link
    from specification.addresses import Family, IPAddress

DIRECTORY = Path("/var/lib/kube-proxy-conformance")
"""The suite's folder on a node."""

_NAMESPACES = {"mount": "mnt", "uts": "uts", "ipc": "ipc", "net": "net", "pid": "pid"}


Addresses = Callable[[str], "Mapping[Family, IPAddress]"]
"""Tells the InternalIPs of the node of that name."""


class Container(Joined):
    """The container ``name``, as long as it is joined to the lab; it is left as it was found.

    Raises:
        NodeError: it does not run.
        NetworkError: its network cannot be entered.
    """

    def __init__(self, name: str, engine: Engine, folder: Path, addresses: Addresses) -> None:
        asked = "{{.State.Pid}} {{.Config.Image}}"
        found = engine.docker("inspect", "-f", asked, name, check=False)
        pid, _, image = found.stdout.strip().partition(" ")
        if found.returncode or pid in ("", "0"):
            raise NodeError(f"the kind node {name} does not run {found.stderr.strip()}".strip())
        self.process = engine.proc / pid
        """Its first process, where the processes of the Docker's machine are seen."""
        self._born = _birth(self.process)
        super().__init__(name, folder, self._entering(engine, name))
        self.description: Mapping[str, str] = {
            "kind": "kind",
            "kernel": os.uname().release,
            "kubernetes": _text(self.process / "root/kind/version").strip(),
            "image": image,
        }
        self.host = inspect_host(self)
        self._addresses = addresses
        self._engine = engine
        self._management = ""
        self._routes: list[str] = []
        self._sysctls: dict[Path, str] = {}
        netns.adopt(name, self.process / "ns" / "net")

    @cached_property
    def addresses(self) -> Mapping[Family, IPAddress]:
        """See System."""
        return self._addresses(self.name)

    def _entering(self, engine: Engine, name: str) -> list[str]:
        """What has a program run in the container: quick where its processes are below ours."""
        if not engine.own:
            return ["docker", "-H", engine.host, "exec", "-i", name]
        places = [f"--{kind}={self.process / 'ns' / it}" for kind, it in _NAMESPACES.items()]
        return ["nsenter", *places, "--"]

    def join(self, links: Sequence[Link], address: str) -> None:
        """Make the links, and note what a node's set-up changes."""
        self._routes = [
            f"-{version} route replace {line.removesuffix(' ')}"
            for version in (4, 6)
            for line in self.run(["ip", f"-{version}", "route", "show", "default"])
            .stdout.replace("pref medium", "")
            .splitlines()
        ]
        for key in SYSCTLS:
            path = Path("/proc/sys", key)
            with self.open(path) as file:
                self._sysctls[path] = file.read()
        self._management = links[-1].interface
        super().join(links, address)
        self.run(["mkdir", "-p", str(DIRECTORY)])

    def open(self, path: str | Path, mode: str = "r") -> IO[str]:
        """See System. (What is under /proc and /sys is the same here, but for processes.)"""
        place = Path(path)
        process = place.is_relative_to("/proc") and place.parts[2].isdecimal()
        with netns.inside(self.name):
            if place.parts[1] in ("proc", "sys") and not process:
                return place.open(mode)
            return (self.process / "root" / place.relative_to("/")).open(mode)

    def program(self, path: Path) -> Path:
        """See System."""
        there = DIRECTORY / "kube-proxy"
        shutil.copy(path, self.process / "root" / there.relative_to("/"))
        return there

    def enter_command(self) -> str:
        """See System."""
        return f"docker -H {self._engine.host} exec -it {self.name} bash"

    def check(self) -> None:
        """See System."""
        if not self.alive:
            raise NodeError(f"the kind node {self.name} has ended")
        if not answers(Path(self._engine.host.removeprefix("unix://"))):
            raise NodeError(f"the Docker of the kind node {self.name} answers no more")

    @property
    def alive(self) -> bool:
        """Whether the container still runs."""
        return _birth(self.process) == self._born != ""

    def close(self) -> None:
        """Give it back as it was found; links to the lab go with it."""
        if self.alive and self._management:
            self.run(["ip", "link", "delete", self._management], check=False)
            for path, text in self._sysctls.items():
                with self.open(path, "w") as file:
                    file.write(text)
            self.run(["rm", "-rf", str(DIRECTORY)])
            self.run(["sh", "-c", "\n".join(f"ip {route}" for route in self._routes)], check=False)
        netns.delete(self.name)


def _birth(process: Path) -> str:
    """When a process began, in the kernel's ticks; empty where it is no more."""
    status = _text(process / "stat")
    return status and status.rpartition(")")[2].split()[19]


def _text(file: Path) -> str:
    """What is in a file; empty where there is none."""
    try:
        return file.read_text()
    except OSError:
        return ""
