"""ClusterIP: what endpoints and clients see of each other's packets."""

from __future__ import annotations

import pytest

from conformance.vocabulary import (
    ATTEMPTS,
    ROUTERS,
    Client,
    Family,
    LabClient,
    Service,
    Vantage,
    World,
    arranged,
    docs,
    e2e,
    expect,
    icmp,
    linux,
    over,
    requirement,
    rfc,
)


@requirement("cip-reply-source", docs("virtual-ips"))
@arranged(2, shared=True)
def test_replies_come_from_the_cluster_ip(web: Service, client: LabClient) -> None:
    """Every reply that a client of a cluster IP sees must have the cluster IP and the Service port
    as its source, never the endpoint's address or port.
    """
    flows = client.open(*web.frontend, ATTEMPTS)
    for sample in (flows.opened, flows.exchange(), flows.exchange()):
        expect(sample).answered()


@requirement("cip-no-snat-pod", docs("virtual-ips"), e2e("service", "preserve source pod IP"))
@arranged(2, shared=True)
def test_endpoint_sees_the_address_of_a_pod(web: Service, client: Client) -> None:
    """Traffic from a pod on the node to a cluster IP must keep the pod's address as its source at
    an endpoint that is another pod, on this node or elsewhere.
    """
    sample = client.connect_many(*web.frontend, ATTEMPTS)
    expect(sample).delivered(seen_from=client.address, reply="any")


@requirement(
    "cip-sport-preserved",
    linux("net/netfilter/nf_nat_core.c", "get_unique_tuple"),
    feature="source-port-preserved",
)
@over(protocol="TCP")
@arranged(2, shared=True)
def test_endpoint_sees_the_source_port_of_a_pod(web: Service, client: Client) -> None:
    """Where the source address is not translated, the endpoint must see the client's own source
    port.
    """
    sample = client.connect_many(*web.frontend, ATTEMPTS)
    for probe in sample:
        expect(probe).delivered(seen_from=probe.client, reply="any")


@requirement("cip-conn-pinned", docs("virtual-ips"))
@arranged(4, shared=True)
def test_a_connection_stays_with_its_endpoint(web: Service, client: LabClient) -> None:
    """All packets of one established connection must go to the endpoint that it was opened to."""
    flows = client.open(*web.frontend, ATTEMPTS)
    expect(flows.opened).delivered()
    for _ in range(20):
        expect(flows.exchange()).kept(flows)


@requirement("cip-direct-podip", docs("networking"), e2e("pod_lifecycle"))
@over(protocol="UDP")
@arranged(2, shared=True)
def test_endpoint_is_reached_directly_too(web: Service, client: Client) -> None:
    """A connection to an endpoint's own address and port must reach it untranslated while the
    endpoint serves a Service, on the target port and on the number of the Service port.
    """
    expect(client.connect(*web.frontend)).answered()
    for endpoint in web.endpoints:
        for port in (endpoint.port, web.port):
            probe = client.connect(endpoint.address, port)
            expect(probe).answered(seen_from=probe.client)


@requirement("cip-ep-refused", docs("virtual-ips"))
@over(vantage=["pod", "outside"], protocol="TCP")
@arranged(2, exposed=True)
def test_refusal_by_an_endpoint_reaches_the_client(
    web: Service, client: Client, world: World, vantage: Vantage
) -> None:
    """Where an endpoint has no listener, its TCP reset must reach the client as coming from the
    address and port that the client has addressed, whichever frontend of the Service that is, and
    the proxy must not try another endpoint.
    """
    world.lab.closed.update(endpoint.address for endpoint in web.endpoints)
    for frontend in web.frontends if vantage == "pod" else web.external_frontends:
        sample = client.connect_many(*frontend, ATTEMPTS)
        expect(sample).delivered(reply="reset")
        assert sample.arrivals.tolist() == [1] * len(sample), sample


@requirement(
    "cip-icmp-related",
    rfc(5508, "4"),
    linux("net/netfilter/nf_nat_proto.c", "nf_nat_icmp_reply_translation"),
    feature="icmp-translation",
)
@pytest.mark.parametrize("kind", ["port-unreachable", "too-big"])
@over(protocol="UDP")
@arranged(["remote-pod"])
def test_icmp_errors_are_translated(
    web: Service, client: Client, world: World, family: Family, kind: icmp.Report
) -> None:
    """An ICMP error about a translated connection, port unreachable from the endpoint or packet too
    big from a router, must reach the client and quote the packet as the client had sent it: to the
    cluster IP and Service port.
    """
    world.lab.silent.add(web.socket(0).address)
    probe = client.connect(*web.frontend)
    expect(probe).delivered(to=web.socket(0), reply="any")
    reporter = web.socket(0).address if kind == "port-unreachable" else ROUTERS[family]
    errors = icmp.report(world.lab, probe, kind, reporter)
    assert [error.kind for error in errors] == [kind], errors
    assert errors[0].quoted_source == probe.client, errors
    assert errors[0].quoted_target == web.frontend, errors
