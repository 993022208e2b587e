"""Traffic policies: which endpoints the clients inside and outside the cluster may reach."""

from __future__ import annotations

from dataclasses import replace

from conformance.vocabulary import (
    Client,
    LabClient,
    Pool,
    Service,
    Services,
    ServiceSpec,
    Slice,
    arranged,
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
@arranged(["pod", "pod", "remote-pod", "remote-pod"], internal_traffic_policy="Local")
def test_local_policy_uses_local_endpoints(web: Service, client: Client, assert_pool: Pool) -> None:
    """Under internalTrafficPolicy Local, connections of pods and processes of the node to the
    cluster IP must be sent to ready endpoints on that node only, and to all of them, which see them
    come from the client's own address.
    """
    sample = assert_pool(*web.frontend, [web.socket(0), web.socket(1)])
    expect(sample).delivered(seen_from=client.address)


@requirement("itp-local-none-drop", docs("virtual-ips", "traffic policies"), kep(2086))
@over(protocol="TCP", vantage=["pod", "node"])
@arranged(["remote-pod", "remote-pod"])
def test_local_policy_never_leaves_the_node(web: Service, client: Client) -> None:
    """Under internalTrafficPolicy Local, a connection to the cluster IP of a Service whose ready
    endpoints are all on other nodes must be delivered to nobody.
    """
    expect(client.connect(*web.frontend)).delivered(to=web, reply="any")
    web.update(internal_traffic_policy="Local")
    expect(client.connect(*web.frontend)).kept_out()


@requirement("itp-local-no-eps-reject", docs("virtual-ips", "traffic policies"))
@over(protocol="TCP", vantage=["pod", "node"])
@arranged(0, internal_traffic_policy="Local")
def test_local_policy_without_endpoints_refuses(web: Service, client: Client) -> None:
    """Under internalTrafficPolicy Local, a connection to the cluster IP of a Service that has no
    ready endpoint on any node must be refused at once, as under Cluster.
    """
    expect(client.connect(*web.frontend)).rejected()


def _bare_and_elsewhere(service: Services) -> list[ServiceSpec]:
    """Services with both policies Local: one without endpoints, one with an endpoint elsewhere."""
    bare = service.spec(
        0, type="NodePort", internal_traffic_policy="Local", external_traffic_policy="Local"
    )
    there = Slice((service.endpoint("remote-pod", 1),))
    return [bare, replace(bare, slices=(there,))]


@requirement(
    "noep-reject-vs-drop",
    docs("virtual-ips", "traffic policies"),
    source("pkg/proxy/topology.go", "CategorizeEndpoints"),
    feature="policy-drops",
)
@over(protocol="TCP", vantage=["pod", "outside"])
@arranged(_bare_and_elsewhere)
def test_policy_drops_what_elsewhere_would_be_served(
    webs: list[Service], client: LabClient
) -> None:
    """A new connection, from inside to the cluster IP or from outside to the nodePort, must be
    refused where a Service has no ready endpoint at all, and silently dropped where a traffic
    policy Local alone keeps it from those on other nodes.
    """
    inside = client.host.place == "pod"
    refused, dropped = (client.connect(*(web.frontend if inside else web.at_node)) for web in webs)
    expect(refused).rejected()
    expect(dropped).dropped()
