"""Which substrate a run needs, where clusters are made on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusters.embedded.substrate import Embedded

if TYPE_CHECKING:
    from clusters.vm.supply import Machines


def of_this_machine(machines: Machines | None, *arguments: Any, **options: Any) -> Embedded:
    """Embedded clusters, with virtual machines as nodes where some are needed; the further
    arguments are those of Embedded.
    """
    if machines is None:
        return Embedded(*arguments, **options)
    from clusters.vm.substrate import Virtual  # noqa: PLC0415  (only runs with machines pay for it)

    return Virtual(machines, *arguments, **options)
