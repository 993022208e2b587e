"""What tests of nodePorts at loopback addresses share, where these are relayed."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from conformance.vocabulary import (
    LOOPBACK,
    Family,
    NodeClient,
    NodeServer,
    Probe,
    Protocol,
    SocketAddress,
    Speaker,
    World,
    e2e,
    expect,
    requirement,
    source,
)

_GATE: Final = "KubeProxyNFTablesLocalhostNodePorts"

RELAY: Final = partial(source, "pkg/proxy/localnodeportproxy/proxy_test.go")
PROXIER: Final = partial(source, "pkg/proxy/nftables/proxier_test.go")
E2E: Final = partial(e2e, "localhost_nodeports")

_FEW: Final = 3
_METRICS: Final = "kubeproxy_nftables_localhost_nodeport"


def _configured(*addresses: str, gate: bool = True) -> dict[str, Any]:
    return {"featureGates": {_GATE: gate}, "nodePortAddresses": list(addresses)}


NAMED: Final = {"localhost": _configured("primary", "localhost")}
"""Loopback addresses are named among those that serve nodePorts."""

BESIDE_ALL: Final = {"beside all": _configured("0.0.0.0/0", "::/0", "127.0.0.1/32", "::1/128")}
UNNAMED: Final = {"primary": _configured("primary"), "all": _configured("all")}
OFF: Final = {"gate off": _configured("primary", "localhost", gate=False)}

relayed = partial(requirement, feature="relayed-localhost-node-ports")


def speaking(world: World, family: Family, protocol: Protocol) -> NodeClient:
    """A process on the node at a loopback address, which may be relayed."""
    address = LOOPBACK[family]
    if protocol == "TCP":
        return Speaker(world.lab, world.node, family, address)
    return NodeClient(world.lab, world.node, family, protocol, address)


def heard(world: World, family: Family, protocol: Protocol, own: SocketAddress) -> Probe:
    """What becomes of what a process sends to another that listens at a loopback address."""
    with (
        NodeServer(world.lab, world.node, protocol, own),
        NodeClient(world.lab, world.node, family, protocol, own.address) as process,
    ):
        return process.connect(*own)


def count(world: World, name: str, *, at_first: float | None = None, **labels: str) -> float:
    """The value of one of the metrics that there are of relays, which need not be there before it
    has counted something where it is something ``at_first``.
    """
    told = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    value = world.node.proxy.metrics().get(f"{_METRICS}_{name}{{{told}}}", at_first)
    assert value is not None, f"no metric is called {_METRICS}_{name}{{{told}}}"
    return value


def refused_and_counted(world: World, family: Family, protocol: Protocol, port: int) -> None:
    """What a process sends to a nodePort at the loopback address is refused, and counted."""
    rejected = partial(count, world, "rejected_packets_total", ip_family=family, protocol=protocol)
    before = rejected()
    with speaking(world, family, protocol) as process:
        sample = process.connect_many(process.address, port, _FEW)
    expect(sample).refused(icmp=True)
    assert rejected() == before + _FEW
