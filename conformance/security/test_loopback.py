"""Security: loopback addresses have no business on a wire, with a proxy on the node or without."""

from __future__ import annotations

from conformance.vocabulary import (
    LOOPBACK,
    LabClient,
    NodeClient,
    Service,
    World,
    arranged,
    expect,
    issue,
    linux,
    over,
    requirement,
    rfc,
)
from fixtures.lab.sample import to_bytes


@requirement("sec-martian-src", rfc(1122, "3.2.1.3"), rfc(4291, "2.5.3"), issue(90259))
@over(vantage=["pod", "outside"])
@arranged(2, exposed=True, shared=True)
def test_nobody_sends_with_a_loopback_address(
    web: Service, client: LabClient, world: World
) -> None:
    """What comes to the node over a wire with a loopback address as its source must be sent to no
    endpoint, whichever frontend it is addressed to.
    """
    lab, source = world.lab, to_bytes([LOOPBACK[client.family]])
    for frontend in web.external_frontends:
        expect(client.connect(*frontend)).delivered(to=web)
        target = to_bytes([frontend.address])
        sample = lab.attempts(client.family, client.protocol, source, target, frontend.port)
        expect(lab.exchange(sample, client.host.wire)).dropped()


@requirement("cip-bind-source-lo", rfc(1122, "3.2.1.3"), linux("net/ipv4/route.c"))
@over(family="IPv4", protocol="TCP")
@arranged(["remote-pod"], shared=True)
def test_loopback_addresses_do_not_leave_the_node(web: Service, world: World) -> None:
    """A connection to a cluster IP from a process that is bound to a loopback address must not come
    to an endpoint with that address.
    """
    with NodeClient(world.lab, world.node, "IPv4", "TCP") as process:
        expect(process.connect(*web.frontend)).delivered(to=web)
    with NodeClient(world.lab, world.node, "IPv4", "TCP", LOOPBACK["IPv4"]) as process:
        probe = process.connect(*web.frontend)
    assert probe.source is None or not probe.source.address.is_loopback, probe
