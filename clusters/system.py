"""What a node is made of: a network stack with programs on it, here or in a machine of its own."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from clusters import netns
from clusters.inspection.netns import host as inspect_host
from clusters.process import LocalProcess

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clusters.inspection.host import Host
    from clusters.process import Process
    from clusters.wires import Link
    from specification.addresses import Family, IPAddress


class System(Protocol):
    """A network stack, and the means to use it from inside."""

    host: Host
    """A testinfra host: what is inside."""
    log: Path
    """Where everything is written that programs started by ``spawn`` print."""
    description: Mapping[str, str]
    """What it is, for the report: kind, kernel and, where there is one, accelerator."""
    emulated: bool
    """Whether its processor is: then its times are not comparable with those of others."""

    @property
    def foreign_chains(self) -> frozenset[str]:
        """Chains of iptables that are there without any Service proxy."""

    @property
    def addresses(self) -> Mapping[Family, IPAddress] | None:
        """Its InternalIPs, where it has them by itself; ``None`` where it is to be given some."""

    def run(
        self,
        argv: Sequence[str],
        *,
        check: bool = True,
        input: str | None = None,  # noqa: A002  (subprocess.run's word for it)
        timeout: float = 60.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, in ``timeout`` seconds; ``CalledProcessError`` where it fails
        and ``check`` holds.
        """

    def spawn(self, argv: Sequence[str], environment: Mapping[str, str]) -> Process:
        """Start a program with ``environment`` besides its own; OSError where there is none."""

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket on this network stack."""

    def open(self, path: str | Path, mode: str = "r") -> IO[str]:
        """Open a text file as a program here sees it, those of /proc included."""

    def program(self, path: Path) -> Path:
        """Where a program of the machine that the suite runs on, and that the system was made with,
        is here.
        """

    def enter_command(self) -> str:
        """The command that opens a shell, from inside the sandbox."""

    def check(self) -> None:
        """Raise NodeError where it has ended."""

    def close(self) -> None:
        """Remove it with everything on it."""


class Joined:
    """A network stack of this machine's kernel, under the name that iproute2 knows it by, in which
    ``enter`` starts programs; joined to the lab it has an end of each link.
    """

    emulated = False
    foreign_chains: frozenset[str] = frozenset()

    def __init__(self, name: str, folder: Path, enter: Sequence[str]) -> None:
        self.name = name
        self.log = folder / "proxy.log"
        self._enter = enter
        folder.mkdir(parents=True, exist_ok=True)
        self.log.touch()

    def join(self, links: Sequence[Link], address: str) -> None:
        """Make the links; the last is the management wire's, and has ``address``."""
        for link in links:
            _connect(self.name, link)
        management = links[-1].interface
        netns.configure(
            self.name,
            [
                "link set lo up",
                f"link set {management} up",
                f"address add {address}/24 dev {management}",
            ],
        )

    def run(
        self,
        argv: Sequence[str],
        *,
        check: bool = True,
        input: str | None = None,  # noqa: A002
        timeout: float = 60.0,
    ) -> subprocess.CompletedProcess[str]:
        """See System."""
        return subprocess.run(
            [*self._enter, *argv],
            check=check,
            # nobody's terminal is read by accident
            **({"stdin": subprocess.DEVNULL} if input is None else {"input": input}),
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def spawn(self, argv: Sequence[str], environment: Mapping[str, str]) -> LocalProcess:
        """See System."""
        return LocalProcess([*self._enter, *argv], self.log, environment)

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """See System."""
        with netns.inside(self.name):
            return socket.socket(family, kind, protocol)

    def open(self, path: str | Path, mode: str = "r") -> IO[str]:
        """See System."""
        with netns.inside(self.name):
            return Path(path).open(mode)

    def program(self, path: Path) -> Path:
        """See System."""
        return path

    def close(self) -> None:
        """See System."""
        netns.delete(self.name)


class Namespace(Joined):
    """A network namespace of this machine's kernel, which is made here; its ends of ``links`` are
    those of veth pairs.

    Raises:
        NetworkError: it, or a link, could not be made.
    """

    addresses = None

    def __init__(self, name: str, folder: Path, links: Sequence[Link], address: str) -> None:
        super().__init__(name, folder, ["nsenter", f"--net={netns.path(name)}", "--"])
        self.description: Mapping[str, str] = {"kind": "netns", "kernel": os.uname().release}
        netns.add(name)
        self.join(links, address)
        self.host = inspect_host(netns.path(name))

    def enter_command(self) -> str:
        """See System."""
        return f"ip netns exec {self.name} bash"

    def check(self) -> None:
        """It cannot end."""


def _connect(name: str, link: Link) -> None:
    netns.configure(
        link.namespace,
        [
            (
                f"link add {link.peer} type veth peer name {link.interface}"
                f" address {link.node_mac.hex(':')} netns {name}"
            )
        ],
    )
    link.raise_peer()
    if link.namespace:  # what the node sends to the lab carries whole checksums
        netns.checksum_offload_off(name, link.interface)
