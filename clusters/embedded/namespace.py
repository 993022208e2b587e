"""A network namespace as a node's system."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from clusters import netns
from clusters.inspection.netns import host as inspect_host
from clusters.system import Joined
from specification.addresses import FAMILIES, Family, IPAddress, node_address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from clusters.wires import Link


class Namespace(Joined):
    """A network namespace of this machine's kernel, which is made here; its ends of ``links`` are
    those of veth pairs.

    Raises:
        NetworkError: it, or a link, could not be made.
    """

    addresses: Mapping[Family, IPAddress] = {each: node_address(0, each) for each in FAMILIES}

    def __init__(self, name: str, folder: Path, links: Sequence[Link], address: str) -> None:
        super().__init__(name, folder, ["nsenter", f"--net={netns.path(name)}", "--"])
        self.description: Mapping[str, str] = {"kind": "netns", "kernel": os.uname().release}
        netns.add(name)
        self.path = netns.path(name)
        self.interfaces = {link.peer: link.interface for link in links[:-1]}
        """Its ends of the wires, by the wire's name."""
        self.join(links, address)
        self.host = inspect_host(netns.path(name))

    def enter_by(self, command: Sequence[str]) -> None:
        """Have programs be started by this command from now on."""
        self._enter = command

    def enter_command(self) -> str:
        """See System."""
        return f"ip netns exec {self.name} bash"

    def check(self) -> None:
        """It cannot end."""
