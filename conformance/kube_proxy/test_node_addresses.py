"""Addresses of the Node object that change while kube-proxy runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from clusters.node import EXTERNAL_INTERFACE
from clusters.registration import write_addresses
from conformance.vocabulary import (
    FAMILIES,
    Client,
    Family,
    IPAddress,
    Service,
    Services,
    World,
    arranged,
    by_time,
    expect,
    having,
    networks,
    over,
    requirement,
    source,
)

_PRIMARY: Final = {"primary": {"nodePortAddresses": ["primary"]}}
_FURTHER: Final = networks("192.0.2.240/28", "2001:db8:0:1::1:0/112")
"""Parts of the network of the nodes, without the primary addresses."""

_SECONDS = 20  # after which a change of its Node should be in kube-proxy's log


@contextmanager
def _renumbered(world: World, now: dict[Family, IPAddress]) -> Iterator[None]:
    """The Node has other primary addresses while the block runs."""
    api, name = world.cluster.api, world.node.name
    write_addresses(api, name, now.values())
    try:
        yield
    finally:
        write_addresses(api, name, map(world.node.address, FAMILIES))


@requirement(
    "np-nodeip-change-log",
    source("pkg/proxy/node.go", "NodeManager.OnNodeChange"),
    feature="node-ips-at-start",
)
@over(vantage="outside", protocol="TCP", configuration=_PRIMARY)
@arranged(type="NodePort")
def test_proxy_goes_on_with_the_node_ips_of_its_start(
    service: Services, web: Service, client: Client, family: Family, world: World
) -> None:
    """When the addresses of its Node object change while it runs, kube-proxy must say so in its
    log, and must go on serving nodePorts at the primary addresses that it has started with.
    """
    node, now = world.node, {each: _FURTHER[each][1] for each in FAMILIES}
    position = node.proxy.log_position()
    with (
        having(node, *now.values(), interface=EXTERNAL_INTERFACE),
        _renumbered(world, now),
    ):
        by_time(
            "the log has the Node's new addresses",
            lambda: str(now[family]) in node.proxy.log_since(position),
            _SECONDS,
        )
        assert node.proxy.running, node.proxy.log_since(position)
        service.settle(removed=True)
        expect(client.connect(*web.at_node)).delivered(to=web)
        expect(client.connect(now[family], web.node_port())).refused()
