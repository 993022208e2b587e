"""Conditions of endpoints and traffic policies, beyond what the census of policies goes through."""

from __future__ import annotations

from conformance.census.combinations.kinds import conditions, policies
from conformance.census.conftest import Hold
from conformance.vocabulary import api, docs, e2e, kep, requirement, source


@requirement(
    "term-publish-notready",
    e2e("service", "PublishNotReadyAddresses is true"),
    api("EndpointSlice", "endpoints.conditions.ready"),
)
def test_published_though_terminating(hold: Hold) -> None:
    """An endpoint that is published as ready must be given new connections although it is
    terminating and does not serve.
    """
    hold(conditions.published)


@requirement(
    "term-publish-off",
    e2e("service", "PublishNotReadyAddresses is false"),
    api("Service", "spec.publishNotReadyAddresses"),
)
def test_not_published(hold: Hold) -> None:
    """A Service's publishNotReadyAddresses must not make endpoints ready that its
    EndpointSlices call not ready.
    """
    hold(conditions.published_in_vain)


@requirement("term-nil-ready", api("EndpointSlice", "endpoints.conditions.ready"))
def test_nothing_said_of_an_endpoint(hold: Hold) -> None:
    """An endpoint of which an EndpointSlice says nothing must be taken for ready."""
    hold(conditions.unknown)


@requirement(
    "term-unready-nonterm", kep(1672), api("EndpointSlice", "endpoints.conditions.serving")
)
def test_serving_and_not_ready(hold: Hold) -> None:
    """An endpoint that is not ready must not be given new connections although it serves,
    unless it is terminating.
    """
    hold(conditions.serving_though_not_ready)


@requirement("term-nil-serving", api("EndpointSlice", "endpoints.conditions.serving"))
def test_nothing_said_of_serving(hold: Hold) -> None:
    """Where no endpoint is ready, one that is terminating must be given new connections
    although its EndpointSlice does not say whether it serves.
    """
    hold(conditions.serving_unknown)


@requirement("term-nil-terminating", api("EndpointSlice", "endpoints.conditions.terminating"))
def test_nothing_said_of_terminating(hold: Hold) -> None:
    """An endpoint that is not ready must not be taken to be terminating where its
    EndpointSlice does not say so, and must not be given new connections.
    """
    hold(conditions.terminating_unknown)


@requirement(
    "itp-local-multi",
    source("pkg/proxy/iptables/proxier_test.go", "TestInternalTrafficPolicy"),
)
def test_several_here(hold: Hold) -> None:
    """Under internalTrafficPolicy Local, new connections to the cluster IP must be sent to each
    of several endpoints on the node.
    """
    hold(policies.several_here)


@requirement(
    "etp-local-multi",
    source("pkg/proxy/iptables/proxier_test.go", "TestExternalTrafficPolicyLocal"),
)
def test_several_here_from_outside(hold: Hold) -> None:
    """Under externalTrafficPolicy Local, new connections from outside must be sent to each of
    several endpoints on the node.
    """
    hold(policies.several_here_from_outside)


@requirement(
    "etp-local-src",
    docs("source-ip", "Services with type NodePort"),
    e2e("loadbalancer", "work for type=LoadBalancer"),
)
def test_own_address(hold: Hold) -> None:
    """Under externalTrafficPolicy Local, endpoints must see connections from outside to the
    nodePort, to external IPs and to load balancers' IPs come from the client's own address.
    """
    hold(policies.seen_by_its_own_address)
