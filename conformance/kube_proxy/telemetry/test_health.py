"""What kube-proxy answers where it is asked for its health, or for that of a Service."""

from __future__ import annotations

import http.client
import json

from conformance.kube_proxy.process.told import HEALTH, METRICS, told
from conformance.vocabulary import (
    FAMILIES,
    WEB_AND_ADMIN,
    Answer,
    Family,
    Node,
    Service,
    Services,
    ServiceSpec,
    Slice,
    World,
    answer,
    arranged,
    e2e,
    issue,
    kep,
    over,
    requirement,
    setting,
    source,
)

_SERVICE = source("pkg/proxy/healthcheck/service_health.go")
_PROXY = source("pkg/proxy/healthcheck/proxy_health.go")

_balanced = arranged(
    ["pod", "pod", "remote-pod"], type="LoadBalancer", external_traffic_policy="Local"
)


def _of_service(service: Services, web: Service, world: World, family: Family) -> Answer:
    """What its healthCheckNodePort answers, once all is in force."""
    service.settle(syncs=2)
    found = answer(world.node.system, family, web.health_check_node_port)
    assert found, f"port {web.health_check_node_port} is closed"
    return found


@requirement("hc-np-body", kep(3836), _SERVICE, feature="kube-proxy-modes")
@_balanced
def test_answer_names_the_service(
    service: Services, web: Service, world: World, family: Family
) -> None:
    """What a healthCheckNodePort answers must be JSON, with the Service's namespace and name, the
    number of its endpoints on the node, and whether kube-proxy is healthy.
    """
    assert json.loads(_of_service(service, web, world, family).body) == {
        "service": {"namespace": web.namespace, "name": web.name},
        "localEndpoints": 2,
        "serviceProxyHealthy": True,
    }


@requirement("hc-np-headers", kep(3836), _SERVICE, feature="kube-proxy-modes")
@_balanced
def test_answer_tells_the_weight(
    service: Services, web: Service, world: World, family: Family
) -> None:
    """A healthCheckNodePort must answer with Content-Type application/json, X-Content-Type-Options
    nosniff, and X-Load-Balancing-Endpoint-Weight, the number of endpoints on the node.
    """
    headers = _of_service(service, web, world, family).headers
    wanted = {
        "Content-Type": "application/json",
        "X-Content-Type-Options": "nosniff",
        "X-Load-Balancing-Endpoint-Weight": "2",
    }
    assert {name: headers.get(name) for name in wanted} == wanted


@requirement("hc-np-any-path", _SERVICE, feature="kube-proxy-modes")
@_balanced
def test_every_path_gets_the_answer(
    service: Services, web: Service, world: World, family: Family
) -> None:
    """A healthCheckNodePort must give the same answer at every path."""
    expected = _of_service(service, web, world, family)
    for path in ("/healthz", "/a/longer/path?and=more"):
        found = answer(world.node.system, family, web.health_check_node_port, path)
        assert found, path
        assert (found.status, found.body) == (expected.status, expected.body), path


def _listed_twice(service: Services) -> ServiceSpec:
    """Two ports, and two slices that list the same endpoint; one of them another, too."""
    here, other = (service.endpoint("pod") for _ in range(2))
    return service.spec(
        slices=[Slice((here, other)), Slice((here,))],
        ports=WEB_AND_ADMIN,
        type="LoadBalancer",
        external_traffic_policy="Local",
    )


@requirement(
    "hc-np-count-dedupe",
    source("pkg/proxy/endpointschangetracker_test.go", "TestGetLocalEndpointIPs"),
    _SERVICE,
    feature="kube-proxy-modes",
)
@arranged(_listed_twice)
def test_an_endpoint_counts_once(
    service: Services, web: Service, world: World, family: Family
) -> None:
    """A healthCheckNodePort must count each endpoint on the node once, however many ports it has
    and however many EndpointSlices list it.
    """
    assert json.loads(_of_service(service, web, world, family).body)["localEndpoints"] == 2


def _more_of_ipv6(service: Services) -> ServiceSpec:
    """One endpoint of IPv4 on the node, and two of IPv6."""
    here, *both = (service.endpoint("pod") for _ in range(3))
    return service.spec(
        slices=[
            Slice((here,), address_types=("IPv4",)),
            Slice(tuple(both), address_types=("IPv6",)),
        ],
        type="LoadBalancer",
        external_traffic_policy="Local",
    )


@requirement("hc-np-count-family", issue(114702), _SERVICE, feature="kube-proxy-modes")
@over(families=FAMILIES, protocol="TCP")
@arranged(_more_of_ipv6)
def test_endpoints_count_in_their_own_family(service: Services, web: Service, world: World) -> None:
    """Asked in one family, the healthCheckNodePort of a dual-stack Service must count the endpoints
    on the node that the Service has in that family.
    """
    found = {each: json.loads(_of_service(service, web, world, each).body) for each in FAMILIES}
    assert {each: said["localEndpoints"] for each, said in found.items()} == {"IPv4": 1, "IPv6": 2}


@requirement(
    "hc-z-200", e2e("networking", "check kube-proxy urls"), _PROXY, feature="kube-proxy-modes"
)
@over(families=FAMILIES)
@arranged(2)
def test_healthy_proxy_says_so(service: Services, web: Service, world: World) -> None:
    """While it is healthy, kube-proxy must answer 200 at /healthz of its healthzBindAddress, before
    a change and once that is in force in both families.
    """

    def status() -> int:
        return told(world.node, HEALTH, "/healthz").status

    assert status() == http.client.OK
    web.set_endpoints([service.endpoint()], syncs=2)
    assert status() == http.client.OK


@requirement("hc-z-body", _PROXY, feature="kube-proxy-modes")
def test_health_is_told_by_family(world: World) -> None:
    """What kube-proxy answers at /healthz must be JSON: when that was, when it was last known to be
    up to date, whether it is healthy, in all and in each family, and whether the node is eligible.
    """
    _, kind, body = told(world.node, HEALTH, "/healthz")
    said = json.loads(body)
    assert kind == "application/json"
    assert {"lastUpdated", "currentTime"} <= set(said)
    assert (said.get("nodeEligible"), said.get("healthy")) == (True, True)
    families = {family: each["healthy"] for family, each in said.get("status", {}).items()}
    assert families == dict.fromkeys(FAMILIES, True)


@requirement(
    "hc-m-proxymode",
    e2e("networking", "check kube-proxy urls"),
    source("cmd/kube-proxy/app/server.go"),
    feature="kube-proxy-modes",
)
def test_mode_is_told(world: World, mode: str) -> None:
    """At /proxyMode of its metricsBindAddress, kube-proxy must answer with its mode alone."""
    status, kind, body = told(world.node, METRICS, "/proxyMode")
    assert (status, kind, body) == (http.client.OK, "text/plain", mode)


@requirement(
    "hc-z-bindaddr-v6",
    setting("KubeProxyConfiguration.bindAddress"),
    source("pkg/proxy/apis/config/v1alpha1/defaults.go"),
    feature="kube-proxy-modes",
)
def test_health_is_told_in_both_families(bare_node: Node) -> None:
    """Where its bindAddress is one of IPv6 and healthzBindAddress is not set, kube-proxy must
    answer at /healthz, at port 10256 of the node's addresses of both families.
    """
    bare_node.proxy.start({"bindAddress": "::", "healthzBindAddress": None})
    answers = {each: answer(bare_node.system, each, HEALTH, "/healthz") for each in FAMILIES}
    found = {family: each and each.status for family, each in answers.items()}
    assert found == dict.fromkeys(FAMILIES, http.client.OK)
