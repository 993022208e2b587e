"""Security: what Services must not make reachable, take from others, or tell."""

from __future__ import annotations

import socket

from conformance.vocabulary import (
    HEADLESS,
    Client,
    Pool,
    Port,
    Service,
    Services,
    ServiceSpec,
    Slice,
    World,
    arranged,
    docs,
    e2e,
    expect,
    icmp,
    issue,
    kep,
    over,
    requirement,
    rfc,
)
from specification.addresses import FAMILIES
from specification.rules.frontends import PROXY_NAME

_LISTENING = 4321
_SERVED, _OTHER = 4322, 22
"""A port that nobody has but a Service, and one that hosts have."""


@requirement("sec-hostports-via-vip", issue(72236))
@over(vantage=["pod", "outside"])
@arranged(1, exposed=True, shared=True)
def test_addresses_of_services_do_not_lead_to_the_node(
    web: Service, client: Client, world: World
) -> None:
    """A process that listens on all addresses of the node must not become reachable by a cluster
    IP, a load balancer's IP or an external IP.
    """
    domain = {"IPv4": socket.AF_INET, "IPv6": socket.AF_INET6}[client.family]
    kind = {"TCP": socket.SOCK_STREAM, "UDP": socket.SOCK_DGRAM}[client.protocol]
    with world.node.system.socket(domain, kind) as listener:
        listener.bind(("", _LISTENING))
        if kind == socket.SOCK_STREAM:
            listener.listen(8)
        for address in {each.address for each in web.frontends[:1] + web.external_frontends[1:]}:
            expect(client.connect(address, _LISTENING)).unserved()
        listener.setblocking(False)
        heard = client.connect(world.node.address(client.family), _LISTENING)
        if kind == socket.SOCK_STREAM:
            assert heard.answered, f"the node's process is out of reach anyway: {heard}"
        else:  # the first that it gets
            assert listener.recvfrom(64)[1][1] == heard.client.port, heard


def _without_endpoints(service: Services) -> ServiceSpec:
    return service.spec([service.endpoint(ready=False)], exposed=True)


@requirement("sec-icmp-no-reveal", rfc(1122, "3.2.2"), rfc(5508, "4"))
@over(vantage=["pod", "outside"], protocol="UDP")
@arranged(_without_endpoints)
def test_refusals_tell_nothing(web: Service, client: Client, world: World) -> None:
    """The ICMP error by which a datagram to a Service is refused must quote it as its client had
    sent it: no endpoint's address is told.
    """
    for frontend in web.external_frontends:
        with icmp.errors(world.lab) as errors:
            probe = client.connect(*frontend)
        expect(probe).refused(icmp=True)
        told = [(each.quoted_source, each.quoted_target) for each in errors]
        assert told == [(probe.client, frontend)], probe


def _at_addresses_of_hosts(service: Services) -> list[ServiceSpec]:
    """An external IP that is a host's outside the cluster, a load balancer's that is a node's."""
    hosts = [service.endpoint(place, 2).host for place in ("outside", "remote-node")]
    addresses = [[host.address(each) for each in FAMILIES] for host in hosts]
    ports = [Port(_SERVED, 8080, service.protocol)]
    return [
        service.spec(2, ports=ports, external_ips=addresses[0]),
        service.spec(2, ports=ports, load_balancer_ips=addresses[1]),
    ]


@requirement("sec-ipvs-subnet-hijack", docs("service", "external IPs"), feature="shared-addresses")
@over(protocol="TCP")
@arranged(_at_addresses_of_hosts, shared=True)
def test_a_host_keeps_its_other_ports(webs: list[Service], client: Client) -> None:
    """Where the external IP of a Service is the address of a host, what is sent to it at a port
    that the Service does not have must go on to the host, untouched.
    """
    web, _ = webs
    (frontend,) = web.external_frontends
    expect(client.connect(*frontend)).delivered(to=web)
    expect(client.connect(frontend.address, _OTHER)).passed_through(untouched=True)


@requirement(
    "sec-svc-hijack-node-ip", docs("service", "type LoadBalancer"), feature="shared-addresses"
)
@over(protocol="TCP")
@arranged(_at_addresses_of_hosts, shared=True)
def test_a_node_keeps_its_other_ports(webs: list[Service], client: Client) -> None:
    """Where the load balancer's IP of a Service is the address of another node, what is sent to it
    at a port that the Service does not have must go on to that node, untouched.
    """
    _, web = webs
    frontend = web.external_frontends[-1]
    expect(client.connect(*frontend)).delivered(to=web)
    expect(client.connect(frontend.address, _OTHER)).passed_through(untouched=True)


@requirement("sec-proxy-name-toggle", kep(2447), e2e("service", "service-proxy-name"))
@over(protocol="TCP")
@arranged(2)
def test_services_go_to_another_proxy_and_come_back(
    service: Services, web: Service, client: Client, assert_pool: Pool
) -> None:
    """When a Service is given the label service.kubernetes.io/service-proxy-name, its cluster IP
    must no longer lead to its endpoints, and must again once that label is removed.
    """
    web.update(labels={PROXY_NAME: "another"}, settle=False)
    service.settle(removed=True)
    expect(client.connect(*web.frontend)).unserved()
    web.update(labels={})
    assert_pool(*web.frontend, web.endpoints)


def _one_headless(service: Services) -> ServiceSpec:
    first, second = (Slice((service.endpoint(),)) for _ in range(2))
    return service.spec(slices=[first, Slice(second.endpoints, labels={HEADLESS: ""})])


@requirement(
    "sec-headless-label",
    e2e("service", "implement service.kubernetes.io/headless"),
    feature="slice-label-changes",
)
@over(protocol="TCP")
@arranged(_one_headless)
def test_slices_that_are_headless_no_longer(web: Service, assert_pool: Pool) -> None:
    """The endpoints of an EndpointSlice that has the label service.kubernetes.io/headless must not
    be served, and must be once that label is removed.
    """
    assert_pool(*web.frontend, [web.socket(0)])
    web.change_slice(1, labels={})
    assert_pool(*web.frontend, web.endpoints)
