"""Protocols and ports: what a port of a Service says of itself, and how slices name it."""

from __future__ import annotations

from conformance.vocabulary import (
    ATTEMPTS,
    Client,
    LabClient,
    Pool,
    Port,
    Protocol,
    Service,
    Services,
    ServiceSpec,
    Slice,
    api,
    arranged,
    docs,
    expect,
    kep,
    over,
    requirement,
    source,
)

_NAMED = ("http", "https", "kubernetes.io/h2c", "kubernetes.io/wss", "example.com/its-own")
"""What appProtocol may say: names of IANA, of Kubernetes, and of anybody."""


def _of_applications(service: Services) -> ServiceSpec:
    ports = [
        Port(80 + n, 8080 + n, service.protocol, f"p{n}", app_protocol=name)
        for n, name in enumerate(_NAMED)
    ]
    return service.spec(2, ports=ports)


@requirement("proto-appprotocol", kep(1507), api("Service", "spec.ports.appProtocol"))
@over(protocol="TCP")
@arranged(_of_applications)
def test_app_protocol_has_no_effect(web: Service, assert_pool: Pool) -> None:
    """A port of a Service must be served alike whatever its appProtocol is."""
    for port in web.spec.ports:
        assert_pool(web.cluster_ip, port.number, web.endpoints_of(port.name))


def _of_one_number(service: Services) -> ServiceSpec:
    """A port of each protocol, all of one number, each with an endpoint and a target of its own."""
    protocols: tuple[Protocol, ...] = ("TCP", "UDP", "SCTP")
    ports = [Port(53, 5353 + n, each, each.lower()) for n, each in enumerate(protocols)]
    slices = [Slice((service.endpoint("pod"),), (port,)) for port in ports]
    return service.spec(ports=ports, slices=slices)


@requirement(
    "proto-sctp-same-port",
    kep(614),
    source("pkg/proxy/iptables/proxier_test.go", "TestClusterIPGeneral"),
    feature="sctp",
)
@over(protocol="SCTP")
@arranged(_of_one_number)
def test_sctp_shares_a_number_with_tcp_and_udp(web: Service, client: LabClient) -> None:
    """TCP, UDP and SCTP ports of a Service that share a port number must be routed independently,
    each to its own endpoints and target port.
    """
    for port in web.spec.ports:
        for _ in range(ATTEMPTS):
            probe = client.connect(web.cluster_ip, port.number, protocol=port.protocol)
            expect(probe).delivered(to=web.endpoints_of(port.name))


def _nearly_named(service: Services) -> ServiceSpec:
    """A port that is called web, and slices whose ports are called nearly so."""
    ports = [Port(80, 8080 + n, name=name) for n, name in enumerate(("we", "web1", "web-1", ""))]
    slices = [Slice((service.endpoint(),), (port,)) for port in ports]
    return service.spec(ports=[Port(80, 8080)], slices=slices)


@requirement("proto-named-port-case", docs("endpoint-slices"), api("EndpointSlice", "ports.name"))
@over(protocol="TCP")
@arranged(_nearly_named)
def test_names_of_ports_are_matched_whole(web: Service, client: Client) -> None:
    """A port of a Service must get no endpoint from a slice port whose name differs from its own in
    one letter, is a part of it, or is empty.
    """
    expect(client.connect(*web.frontend)).refused()
