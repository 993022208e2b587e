"""A node's system (clusters.contract.System) on this machine's kernel, however it is entered."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from typing import IO, TYPE_CHECKING

from clusters import netns
from clusters.process import LocalProcess
from clusters.sockets import Datagrams, Streams

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clusters.wires import Link


class Joined:
    """A network stack of this machine's kernel, under the name that iproute2 knows it by, in which
    ``enter`` starts programs; joined to the lab it has an end of each link.
    """

    emulated = False
    keeps_order = True

    def __init__(self, name: str, folder: Path, enter: Sequence[str]) -> None:
        self.name = name
        self.log = folder / "proxy.log"
        self._enter = enter
        folder.mkdir(parents=True, exist_ok=True)
        self.log.touch()

    def join(self, links: Sequence[Link], address: str) -> None:
        """Make the links; the last is the management wire's, and has ``address``."""
        for link in links:
            made = f"link add {link.peer} type veth peer name {link.interface}"
            there = f"address {link.node_mac.hex(':')} netns {self.name}"
            netns.configure(link.namespace, [f"{made} {there}"])
            link.raise_peer()
            if link.namespace:  # what the node sends to the lab carries whole checksums
                netns.checksum_offload_off(self.name, link.interface)
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

    def datagrams(self, family: int, address: str, ports: Sequence[int]) -> Datagrams:
        """See System."""
        with netns.inside(self.name):
            return Datagrams(family, address, tuple(ports))

    def streams(
        self, family: int, address: str, targets: Sequence[tuple[str, int]], ports: Sequence[int]
    ) -> Streams:
        """See System."""
        with netns.inside(self.name):
            return Streams(family, address, tuple(targets), tuple(ports))

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
