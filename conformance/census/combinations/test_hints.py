"""Hints of EndpointSlices and conditions of endpoints, in all that meets them."""

from __future__ import annotations

from conformance.census.combinations import kinds
from conformance.census.conftest import Hold
from conformance.vocabulary import api, docs, e2e, kep, requirement, source


@requirement(
    "topo-node-hints",
    kep(3015),
    api("EndpointSlice", "endpoints.hints.forNodes"),
    feature="node-hints",
)
def test_hints_for_this_node(hold: Hold) -> None:
    """Where every ready endpoint of a Service has hints for nodes, and some for this node,
    new connections must be sent to those alone.
    """
    hold(kinds.hinted_for_the_node)


@requirement(
    "topo-node-hint-partial",
    kep(3015),
    source("pkg/proxy/topology_test.go", "TestCategorizeEndpoints"),
)
def test_hints_for_nodes_that_some_lack(hold: Hold) -> None:
    """Where a ready endpoint of a Service has no hint for nodes, those of the others must
    be ignored.
    """
    hold(kinds.some_hinted_for_nodes)


@requirement(
    "topo-node-fallback-zone",
    kep(3015),
    source("pkg/proxy/topology_test.go", "TestCategorizeEndpoints"),
)
def test_hints_for_other_nodes(hold: Hold) -> None:
    """Where no ready endpoint of a Service is hinted for this node, new connections must be
    sent to those that are hinted for its zone.
    """
    hold(kinds.hinted_for_other_nodes)


@requirement(
    "topo-nodeport-lb",
    docs("topology-aware-routing"),
    source("pkg/proxy/topology.go", "CategorizeEndpoints"),
)
def test_hints_at_external_frontends(hold: Hold) -> None:
    """Hints must be followed at nodePorts, external IPs and load balancers' IPs too, where
    no policy Local binds.
    """
    hold(kinds.hinted_from_outside)


@requirement("topo-local-ignores", source("pkg/proxy/topology_test.go", "TestCategorizeEndpoints"))
def test_hints_under_a_local_policy(hold: Hold) -> None:
    """Where a policy Local binds, hints must be ignored: new connections are sent to the
    node's own ready endpoints, whichever zone or node they are hinted for.
    """
    hold(kinds.hinted_under_local)


@requirement("topo-mixed-merge", source("pkg/proxy/topology_test.go", "TestCategorizeEndpoints"))
def test_hints_under_one_of_two_policies(hold: Hold) -> None:
    """Where one traffic policy of a Service is Local and the other Cluster, hints must be
    followed by what the second rules, and by nothing that the first does.
    """
    hold(kinds.hinted_under_one_policy)


@requirement(
    "topo-unready-ignored", source("pkg/proxy/topology_test.go", "TestCategorizeEndpoints")
)
def test_hints_that_unready_endpoints_lack(hold: Hold) -> None:
    """An endpoint that is not ready must have no influence on whether the hints of ready
    ones are followed.
    """
    hold(kinds.unready_without_hints)


@requirement("topo-terminating-ignored", source("pkg/proxy/topology.go", "CategorizeEndpoints"))
def test_hints_of_terminating_endpoints(hold: Hold) -> None:
    """Where no endpoint is ready, new connections must be sent to those that serve while
    they terminate, whatever their hints are.
    """
    hold(kinds.hinted_and_terminating)


@requirement("topo-hints-authoritative", kep(4444))
def test_traffic_distribution_without_hints(hold: Hold) -> None:
    """A Service's trafficDistribution must have no effect where its EndpointSlices have no
    hints.
    """
    hold(kinds.distribution_without_hints)


@requirement(
    "term-publish-notready",
    e2e("service", "PublishNotReadyAddresses is true"),
    api("EndpointSlice", "endpoints.conditions.ready"),
)
def test_published_though_terminating(hold: Hold) -> None:
    """An endpoint that is published as ready must be given new connections although it is
    terminating and does not serve.
    """
    hold(kinds.published)


@requirement(
    "term-publish-off",
    e2e("service", "PublishNotReadyAddresses is false"),
    api("Service", "spec.publishNotReadyAddresses"),
)
def test_not_published(hold: Hold) -> None:
    """A Service's publishNotReadyAddresses must not make endpoints ready that its
    EndpointSlices call not ready.
    """
    hold(kinds.published_in_vain)


@requirement("term-nil-ready", api("EndpointSlice", "endpoints.conditions.ready"))
def test_nothing_said_of_an_endpoint(hold: Hold) -> None:
    """An endpoint of which an EndpointSlice says nothing must be taken for ready."""
    hold(kinds.unknown)


@requirement(
    "term-unready-nonterm", kep(1672), api("EndpointSlice", "endpoints.conditions.serving")
)
def test_serving_and_not_ready(hold: Hold) -> None:
    """An endpoint that is not ready must not be given new connections although it serves,
    unless it is terminating.
    """
    hold(kinds.serving_though_not_ready)
