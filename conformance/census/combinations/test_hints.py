"""Hints of EndpointSlices, in all that meets them."""

from __future__ import annotations

from conformance.census.combinations.kinds import hints
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
    hold(hints.hinted_for_the_node)


@requirement(
    "topo-unannotated",
    kep(4444),
    source("pkg/proxy/topology.go", "CategorizeEndpoints"),
    feature="unannotated-hints",
)
def test_hints_that_no_annotation_asks_for(hold: Hold) -> None:
    """Hints must be followed where a Service has no annotation topology-mode, too."""
    hold(hints.hinted_without_asking)


@requirement(
    "topo-node-hint-partial",
    kep(3015),
    source("pkg/proxy/topology_test.go", "TestCategorizeEndpoints"),
)
def test_hints_for_nodes_that_some_lack(hold: Hold) -> None:
    """Where a ready endpoint of a Service has no hint for nodes, those of the others must
    be ignored.
    """
    hold(hints.some_hinted_for_nodes)


@requirement(
    "topo-node-fallback-zone",
    kep(3015),
    source("pkg/proxy/topology_test.go", "TestCategorizeEndpoints"),
)
def test_hints_for_other_nodes(hold: Hold) -> None:
    """Where no ready endpoint of a Service is hinted for this node, new connections must be
    sent to those that are hinted for its zone.
    """
    hold(hints.hinted_for_other_nodes)


@requirement(
    "topo-nodeport-lb",
    docs("topology-aware-routing"),
    source("pkg/proxy/topology.go", "CategorizeEndpoints"),
)
def test_hints_at_external_frontends(hold: Hold) -> None:
    """Hints must be followed at nodePorts, external IPs and load balancers' IPs too, where
    no policy Local binds.
    """
    hold(hints.hinted_from_outside)


@requirement("topo-local-ignores", source("pkg/proxy/topology_test.go", "TestCategorizeEndpoints"))
def test_hints_under_a_local_policy(hold: Hold) -> None:
    """Where a policy Local binds, hints must be ignored: new connections are sent to the
    node's own ready endpoints, whichever zone or node they are hinted for.
    """
    hold(hints.hinted_under_local)


@requirement("topo-mixed-merge", source("pkg/proxy/topology_test.go", "TestCategorizeEndpoints"))
def test_hints_under_one_of_two_policies(hold: Hold) -> None:
    """Where one traffic policy of a Service is Local and the other Cluster, hints must be
    followed by what the second rules, and by nothing that the first does.
    """
    hold(hints.hinted_under_one_policy)


@requirement(
    "topo-unready-ignored", source("pkg/proxy/topology_test.go", "TestCategorizeEndpoints")
)
def test_hints_that_unready_endpoints_lack(hold: Hold) -> None:
    """An endpoint that is not ready must have no influence on whether the hints of ready
    ones are followed.
    """
    hold(hints.unready_without_hints)


@requirement("topo-terminating-ignored", source("pkg/proxy/topology.go", "CategorizeEndpoints"))
def test_hints_of_terminating_endpoints(hold: Hold) -> None:
    """Where no endpoint is ready, new connections must be sent to those that serve while
    they terminate, whatever their hints are.
    """
    hold(hints.hinted_and_terminating)


@requirement("topo-hints-authoritative", kep(4444))
def test_traffic_distribution_without_hints(hold: Hold) -> None:
    """A Service's trafficDistribution must have no effect where its EndpointSlices have no
    hints.
    """
    hold(hints.distribution_without_hints)


@requirement(
    "topo-prefer-same-zone",
    kep(3015),
    kep(4444),
    e2e("traffic_distribution", "route traffic to an endpoint in the same zone"),
)
def test_traffic_distribution_with_hints(hold: Hold) -> None:
    """Where a Service has the trafficDistribution PreferSameZone or PreferClose, and some ready
    endpoints are hinted for the zone of the node, new connections must be sent to those alone.
    """
    hold(hints.distributed_within_the_zone)


@requirement("topo-no-drop", docs("topology-aware-routing", "safeguards"), kep(2433))
def test_hints_keep_nobody_from_a_service(hold: Hold) -> None:
    """Whatever the hints of endpoints are, new connections must be sent to an endpoint wherever
    there is one that may be chosen without them.
    """
    hold(hints.hinted_and_usable)
