"""What a rehearsal needs around its node: a cluster, and what each mode is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from clusters.embedded.substrate import Embedded
from clusters.inspection.inventory import inventory
from foretell import side
from foretell.side import Named
from migrate.rehearsal import Rehearsal, furnished
from specification.addresses import FAMILIES, node_address

if TYPE_CHECKING:
    from pathlib import Path

    from clusters.contract import Cluster
    from clusters.implementation import Implementation
    from clusters.vm.supply import Machines
    from foretell.configuration import Given
    from foretell.side import Side
    from migrate.rehearsal import Config
    from specification.services import ServiceSpec

_OURS: Final = frozenset(
    {
        "apiVersion",
        "kind",
        "mode",
        "bindAddress",
        "clientConnection",
        "clusterCIDR",
        "detectLocal",
        "detectLocalMode",
        "healthzBindAddress",
        "hostnameOverride",
        "metricsBindAddress",
        "nodePortAddresses",
    }
)
"""Fields of a KubeProxyConfiguration that speak of a cluster or of a node: here, of our own."""


@dataclass(frozen=True)
class Prepared:
    """See above; to be closed."""

    substrate: Embedded
    cluster: Cluster
    sides: Mapping[str, Side]
    configs: Mapping[str, Config]
    listed: Sequence[ServiceSpec]
    seed: int

    @contextlib.contextmanager
    def rehearsal(self, tell: Callable[[str], None]) -> Iterator[Rehearsal]:
        """A node that runs in the first mode, with Services around it."""
        fresh = {}
        for mode, config in self.configs.items():
            tell(f"a node that has only ever run in {mode} mode")
            with furnished(self.cluster, config, self.configs, self.listed, self.seed) as around:
                fresh[mode] = inventory(around.world.node)
        tell("the node that is switched")
        first = next(iter(self.configs.values()))
        with furnished(self.cluster, first, self.configs, self.listed, self.seed) as around:
            yield Rehearsal(around, self.sides, self.configs, fresh)

    def close(self) -> None:
        """Take the cluster down."""
        self.substrate.close()


def prepare(
    implementation: Implementation,
    version: str,
    binaries: dict[str, Path],
    modes: tuple[str, str],
    given: tuple[Given, Given],
    listed: Sequence[ServiceSpec],
    machines: Machines | None,
    folder: Path,
    seed: int,
) -> Prepared:
    """A cluster for nodes that are switched between two ``modes``, which each have what is
    ``given`` of their configuration; where one of them needs a machine, all nodes are such.

    Raises what Embedded raises, and ManifestError for a configuration that makes no sense.
    """
    nodes = [node_address(0, family) for family in FAMILIES]
    sides = {
        mode: side.of(Named(implementation, mode, version), each, nodes)
        for mode, each in zip(modes, given, strict=True)
    }
    configs = {mode: _config(sides[mode], each) for mode, each in zip(modes, given, strict=True)}
    hosting = [mode for mode in modes if machines and mode in machines.modes] or modes
    substrate = Embedded(implementation, binaries, folder, machines=machines)
    return Prepared(substrate, substrate.cluster(hosting[0]), sides, configs, listed, seed)


def _config(one: Side, given: Given) -> dict[str, Any]:
    """What the proxy is told in a mode besides what it is told anyhow."""
    fields = {name: value for name, value in given.fields.items() if name not in _OURS}
    if not given.fields:
        return {"mode": one.mode}
    fields["clusterCIDR"] = ",".join(map(str, one.configuration.pod_networks))
    if one.configuration.node_port_addresses is not None:
        fields["nodePortAddresses"] = [str(each) for each in one.configuration.node_port_addresses]
    return {**fields, "mode": one.mode}
