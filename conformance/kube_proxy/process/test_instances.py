"""Two instances of kube-proxy on one node, as after somebody's mistake."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from conformance.kube_proxy.process.served import assert_served
from conformance.vocabulary import (
    BOTH,
    FAMILIES,
    Node,
    Service,
    Services,
    SocketAddress,
    World,
    by_time,
    client_of_each_kind,
    expect,
    over,
    requirement,
    source,
)

_SOON: Final = 240.0  # seconds in which what is tried again every two seconds must have succeeded
_PERIOD: Final = {mode: {"syncPeriod": "2s"} for mode in ("iptables", "ipvs", "nftables")}
_SECOND: Final = """
(while [ ! -e FILE ]; do sleep 0.1; done; exec "$@") &
exec "$@"
"""
"""Runs a program, and once more when there is a file."""
_CHANGES: Final = 5


def _is_served(web: Service, world: World, by: Collection[SocketAddress]) -> bool:
    """Whether new connections of each kind reach these endpoints alone; none where there is none
    of these.
    """
    wanted: set[SocketAddress | None] = {*by} or {None}
    return all(
        set(client.connect_many(web.cluster_ip_of(client.family), web.port, 8).chosen) <= wanted
        for client in client_of_each_kind(world)
    )


def _endpoints(web: Service) -> set[SocketAddress]:
    return {each for family in FAMILIES for each in web.endpoints_of("web", family)}


def _two_run(node: Node, position: int) -> bool:
    """Whether one has said that it cannot listen where another one does."""
    return "address already in use" in node.proxy.log_since(position)


@requirement(
    "life-two-instances", source("cmd/kube-proxy/app/server.go"), feature="kube-proxy-modes"
)
@over(families=FAMILIES, protocols=["TCP", "UDP"])
def test_second_instance_does_no_lasting_harm(
    service: Services, world: World, bare_node: Node
) -> None:
    """Where two instances of kube-proxy run on a node, Services must come to be served as they are
    by then; and so they must be by a single one that is started over what both have left.
    """
    proxy, position = bare_node.proxy, bare_node.proxy.log_position()
    file = proxy.directory / "second"
    bare_node.run(["rm", "-f", str(file)])
    proxy.start(_PERIOD, wrapper=("sh", "-c", _SECOND.replace("FILE", str(file)), "sh"))
    bare_node.write(file, "")
    by_time("the second finds a port taken", lambda: _two_run(bare_node, position), _SOON)
    web, deleted = service.create([service.spec(2, ports=BOTH) for _ in range(2)])
    for _ in range(_CHANGES):
        web.set_endpoints([service.endpoint()], settle=False)
        by_time("a change is in force", lambda: _is_served(web, world, _endpoints(web)), _SOON)
    deleted.delete(settle=False)
    by_time("a Service is gone", lambda: _is_served(deleted, world, ()), _SOON)
    proxy.kill()
    proxy.start()
    service.settle()
    assert_served(web, world)
    for client in client_of_each_kind(world):
        at = deleted.cluster_ip_of(client.family)
        expect(client.connect(at, deleted.port), "it is deleted").unserved()
