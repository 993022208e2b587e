"""Kinds of decisions: what each requirement of the census looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from typing import Final

from conformance.census.decision import Decision

Kind = Callable[[Decision], bool]

HERE: Final = "here"
ELSEWHERE: Final = "elsewhere"
_READY: Final = ("ready", "ready though terminating")
"""The states of endpoints that are ready: the second is had where not-ready ones are published."""


def _local(each: Decision) -> bool:
    """Whether the policy that rules it is Local."""
    service = each.service
    policy = service.external_traffic_policy if each.external else service.internal_traffic_policy
    return policy == "Local"


def _inside(each: Decision) -> bool:
    return each.vantage != "outside"


def _bound(each: Decision) -> bool:
    """Whether a policy Local binds it: from inside, an external one does not."""
    return _local(each) and not (each.external and _inside(each))


def _usable(each: Decision, *where: str) -> bool:
    """Whether an endpoint there may be chosen under some circumstances."""
    return _has(each, (*_READY, "serving while terminating"), where)


def _ready(each: Decision, *where: str) -> bool:
    return _has(each, _READY, where)


def _has(each: Decision, states: Iterable[str], where: Iterable[str]) -> bool:
    return any(f"{state} {place}" in each.states for state, place in product(states, where))


def cluster_policy_inside(each: Decision) -> bool:
    """A cluster IP under internalTrafficPolicy Cluster."""
    return not each.external and not _local(each)


def cluster_policy_outside(each: Decision) -> bool:
    """An external frontend under externalTrafficPolicy Cluster."""
    return each.external and not _local(each)


def local_policy_inside(each: Decision) -> bool:
    """A cluster IP under internalTrafficPolicy Local, while endpoints here may be chosen."""
    return not each.external and _local(each) and _usable(each, HERE)


def local_policy_outside(each: Decision) -> bool:
    """An external frontend, from outside, under Local, while endpoints here may be chosen."""
    return each.external and _bound(each) and _usable(each, HERE)


def node_under_local(each: Decision) -> bool:
    """A process on the node at a cluster IP under internalTrafficPolicy Local."""
    return not each.external and _local(each) and each.vantage == "node" and _usable(each, HERE)


def stranger_under_local(each: Decision) -> bool:
    """Who is no pod, at a cluster IP under internalTrafficPolicy Local."""
    return not each.external and _local(each) and each.vantage == "outside" and _usable(each, HERE)


def nobody_here(each: Decision) -> bool:
    """From outside under externalTrafficPolicy Local, with endpoints elsewhere alone."""
    return each.external and _bound(each) and not _usable(each, HERE) and _usable(each, ELSEWHERE)


def terminating_elsewhere_alone(each: Decision) -> bool:
    """The same, where those elsewhere are terminating."""
    return nobody_here(each) and not _ready(each, ELSEWHERE)


def nobody_here_inside(each: Decision) -> bool:
    """A cluster IP under internalTrafficPolicy Local, with endpoints elsewhere alone."""
    return (
        not each.external and _local(each) and not _usable(each, HERE) and _usable(each, ELSEWHERE)
    )


def pod_takes_the_short_cut(each: Decision) -> bool:
    """A pod at an external frontend under externalTrafficPolicy Local."""
    return each.external and _local(each) and each.vantage == "pod"


def pod_without_endpoints_here(each: Decision) -> bool:
    """The same, with endpoints elsewhere alone."""
    return pod_takes_the_short_cut(each) and not _usable(each, HERE) and _usable(each, ELSEWHERE)


def node_takes_the_short_cut(each: Decision) -> bool:
    """A process on the node at an external frontend under externalTrafficPolicy Local."""
    return each.external and _local(each) and each.vantage == "node"


def external_policy_alone(each: Decision) -> bool:
    """A cluster IP of a Service whose external policy alone is Local."""
    return cluster_policy_inside(each) and each.service.external_traffic_policy == "Local"


def internal_policy_alone(each: Decision) -> bool:
    """An external frontend of a Service whose internal policy alone is Local."""
    return cluster_policy_outside(each) and each.service.internal_traffic_policy == "Local"


def both_policies(each: Decision) -> bool:
    """A Service both of whose policies are Local."""
    service = each.service
    return service.internal_traffic_policy == service.external_traffic_policy == "Local"


def terminating_beside_ready(each: Decision) -> bool:
    """A ready endpoint may be chosen, and another serves while it terminates."""
    where = (HERE,) if _bound(each) else (HERE, ELSEWHERE)
    terminating = any(f"serving while terminating {place}" in each.states for place in where)
    return _ready(each, *where) and terminating


def terminating_alone(each: Decision) -> bool:
    """No endpoint is ready anywhere, and no policy Local binds."""
    return not _bound(each) and not _ready(each, HERE, ELSEWHERE) and _usable(each, HERE, ELSEWHERE)


def terminating_alone_here(each: Decision) -> bool:
    """No endpoint here is ready, one serves while it terminates, and a policy Local binds."""
    return _bound(each) and not _ready(each, HERE) and _usable(each, HERE)


def fallbacks_of_two_policies(each: Decision) -> bool:
    """One policy is Local and the other Cluster, while the ready endpoints are elsewhere and one
    here serves while it terminates.
    """
    service = each.service
    differ = service.internal_traffic_policy != service.external_traffic_policy
    away = _ready(each, ELSEWHERE) and not _ready(each, HERE) and _usable(each, HERE)
    return differ and away and not (each.external and _inside(each))


def terminating_and_not_serving(each: Decision) -> bool:
    """An endpoint is terminating and does not serve."""
    return "terminating here" in each.states


def not_ready(each: Decision) -> bool:
    """An endpoint is neither ready nor terminating."""
    return bool(each.states & {"not ready here", "not ready elsewhere"})


def nobody_at_a_load_balancers_ip(each: Decision) -> bool:
    """No endpoint anywhere may be chosen, at a load balancer's IP."""
    return each.frontend.kind == "load-balancer-ip" and not _usable(each, HERE, ELSEWHERE)


def nobody_at_an_external_ip(each: Decision) -> bool:
    """No endpoint anywhere may be chosen, at an external IP."""
    return each.frontend.kind == "external-ip" and not _usable(each, HERE, ELSEWHERE)


def nobody_at_all(each: Decision) -> bool:
    """No endpoint anywhere may be chosen, under a policy Local."""
    return _local(each) and not _usable(each, HERE, ELSEWHERE)


def node_at_an_address_without_endpoints(each: Decision) -> bool:
    """A process on the node, at an external IP or a load balancer's IP without an endpoint."""
    theirs = each.frontend.kind in ("external-ip", "load-balancer-ip")
    return theirs and each.vantage == "node" and not _usable(each, HERE, ELSEWHERE)


def apart(kind: Kind) -> Kind:
    """The decisions of a kind, but for those that another requirement has to itself: what goes
    wrong there is told once.
    """
    others = _APART[: _APART.index(kind)] if kind in _APART else _APART
    return lambda each: kind(each) and not any(other(each) for other in others)


_APART: Final[tuple[Kind, ...]] = (
    node_at_an_address_without_endpoints,
    pod_without_endpoints_here,
    pod_takes_the_short_cut,
    node_takes_the_short_cut,
    terminating_elsewhere_alone,
    nobody_here,
    nobody_here_inside,
)
"""Each has what it looks at to itself, but for what those before it have."""


ALL: Final[dict[str, Kind]] = {
    each.__name__: each
    for each in (
        cluster_policy_inside,
        cluster_policy_outside,
        local_policy_inside,
        local_policy_outside,
        node_under_local,
        stranger_under_local,
        nobody_here,
        terminating_elsewhere_alone,
        nobody_here_inside,
        pod_takes_the_short_cut,
        pod_without_endpoints_here,
        node_takes_the_short_cut,
        external_policy_alone,
        internal_policy_alone,
        both_policies,
        terminating_beside_ready,
        terminating_alone,
        terminating_alone_here,
        fallbacks_of_two_policies,
        terminating_and_not_serving,
        not_ready,
        nobody_at_a_load_balancers_ip,
        nobody_at_an_external_ip,
        nobody_at_all,
        node_at_an_address_without_endpoints,
    )
}
"""All by name: every decision is of one of these kinds at least, and each is a requirement's."""
