"""A node in memory: a kernel that is simulated, and nothing else that a machine has."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

from clusters.simulated.kernel import Kernel, Rule
from clusters.sockets import Datagrams
from specification.addresses import FAMILIES, Family, IPAddress
from specification.errors import UnsupportedError, WireError

if TYPE_CHECKING:
    from clusters.contract import Proxy


def _no(what: str) -> NoReturn:
    raise UnsupportedError(f"a simulated node has no {what}")


class SimulatedSystem:
    """See clusters.contract.System: what a node in memory is made of."""

    emulated = False
    keeps_order = False
    addresses: Mapping[Family, IPAddress] = {each: Kernel.address(each) for each in FAMILIES}
    description: Mapping[str, str] = {
        "kind": "simulated",
        "kernel": f"simulated, on {platform.system()} {platform.release()}",
    }

    def __init__(self, kernel: Kernel) -> None:
        self.socket = kernel.socket

    def datagrams(self, family: int, address: str, ports: Sequence[int]) -> Datagrams:
        """See System."""
        return Datagrams(family, address, tuple(ports), self.socket)

    def check(self) -> None:
        """It cannot end."""

    def __getattr__(self, name: str) -> NoReturn:
        """Whatever else a system has needs a machine."""
        if name.startswith("_"):
            raise AttributeError(name)
        _no({"run": "programs", "spawn": "programs", "open": "files"}.get(name, name))


class SimulatedNode(Kernel):
    """See clusters.contract.Node; its proxy is ``rule``, until one joins it."""

    proxy: Proxy

    def __init__(self, rule: Rule, seed: int = 0, name: str = "simulated") -> None:
        super().__init__(rule, seed)
        self.name = name
        self.management_address = ""
        self.system = SimulatedSystem(self)
        self.lost = 0
        """Frames lost on the links since ``check_losses`` looked."""

    @property
    def host(self) -> NoReturn:
        """See Node."""
        _no("inside that could be inspected")

    def run(self, argv: Sequence[str], **_: object) -> NoReturn:
        """See Node."""
        _no(f"programs: {argv[0]} cannot be run")

    def read(self, path: object) -> NoReturn:
        """See Node."""
        _no(f"file {path}")

    def write(self, path: object, *_: object) -> NoReturn:
        """See Node."""
        _no(f"file {path}")

    def check_losses(self) -> None:
        """Raise WireError if a frame was lost since the last check."""
        lost, self.lost = self.lost, 0
        if lost:
            raise WireError(f"the links to {self.name} dropped {lost} frames")

    def close(self) -> None:
        """See Node."""
        self.proxy.close()
