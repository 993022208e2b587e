"""Traffic policies: which endpoints the clients inside and outside the cluster may reach."""

from __future__ import annotations

from dataclasses import replace

from conformance.vocabulary import (
    Client,
    LabClient,
    Pool,
    Services,
    Slice,
    docs,
    e2e,
    expect,
    kep,
    over,
    requirement,
    source,
)


@requirement(
    "itp-local-only", kep(2086), e2e("service", "respect internalTrafficPolicy=Local Pod to Pod")
)
@over(protocol="TCP", vantage=["pod", "node"])
def test_local_policy_uses_local_endpoints(service: Services, assert_pool: Pool) -> None:
    """Under internalTrafficPolicy Local, connections of pods and processes of the node to the
    cluster IP must be sent to ready endpoints on that node only, and to all of them.
    """
    here = [service.endpoint("pod") for _ in range(2)]
    there = [service.endpoint("remote-pod", node) for node in (1, 2)]
    web = service([*here, *there], internal_traffic_policy="Local")
    local = [web.socket(position) for position in range(len(here))]
    assert_pool(*web.frontend, local)


@requirement("itp-local-none-drop", docs("virtual-ips", "traffic policies"), kep(2086))
@over(protocol="TCP", vantage=["pod", "node"])
def test_local_policy_never_leaves_the_node(service: Services, client: Client) -> None:
    """Under internalTrafficPolicy Local, a connection to the cluster IP of a Service whose ready
    endpoints are all on other nodes must be delivered to nobody.
    """
    web = service([service.endpoint("remote-pod", node) for node in (1, 2)])
    expect(client.connect(*web.frontend)).delivered(to=web, reply="any")
    web.update(internal_traffic_policy="Local")
    expect(client.connect(*web.frontend)).kept_out()


@requirement("itp-local-no-eps-reject", docs("virtual-ips", "traffic policies"))
@over(protocol="TCP", vantage=["pod", "node"])
def test_local_policy_without_endpoints_refuses(service: Services, client: Client) -> None:
    """Under internalTrafficPolicy Local, a connection to the cluster IP of a Service that has no
    ready endpoint on any node must be refused at once, as under Cluster.
    """
    web = service([], internal_traffic_policy="Local")
    expect(client.connect(*web.frontend)).rejected()


@requirement(
    "noep-reject-vs-drop",
    docs("virtual-ips", "traffic policies"),
    source("pkg/proxy/topology.go", "CategorizeEndpoints"),
    feature="policy-drops",
)
@over(protocol="TCP", vantage=["pod", "outside"])
def test_policy_drops_what_elsewhere_would_be_served(service: Services, client: LabClient) -> None:
    """A new connection, from inside to the cluster IP or from outside to the nodePort, must be
    refused where a Service has no ready endpoint at all, and silently dropped where a traffic
    policy Local alone keeps it from those on other nodes.
    """
    spec = service.spec(
        [], type="NodePort", internal_traffic_policy="Local", external_traffic_policy="Local"
    )
    there = Slice((service.endpoint("remote-pod", 1),))
    bare, elsewhere = service.create([spec, replace(spec, slices=(there,))])
    inside = client.host.place == "pod"
    refused, dropped = (
        client.connect(*(web.frontend if inside else web.at_node)) for web in (bare, elsewhere)
    )
    expect(refused).rejected()
    expect(dropped).dropped()
