"""Clusters of this machine whose nodes are virtual machines, or some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusters.embedded.substrate import Embedded
from clusters.vm.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clusters.contract import System
    from clusters.vm.supply import Machines
    from clusters.wires import Link


class Virtual(Embedded):
    """See clusters.contract.Substrate; the modes that ``machines`` names have virtual machines.

    Raises (and ``node`` does) besides:
        NodeError: a virtual machine did not start.
    """

    def __init__(self, machines: Machines, *arguments: Any, **options: Any) -> None:
        self._machines = machines
        super().__init__(*arguments, **options)

    def _system(self, mode: str, name: str, links: Sequence[Link], address: str) -> System:
        machines = self._machines
        if mode not in machines.modes:
            return super()._system(mode, name, links, address)
        folder, programs = self._folder / name, [self._binaries["proxy"]]
        return Machine(name, folder, machines.kernel, machines.image, links, address, programs)
