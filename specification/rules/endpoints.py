"""Which endpoints may get a new connection."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from specification.addresses import Family
from specification.attempts import SocketAddress
from specification.rules.case import Case, clause
from specification.rules.frontends import Frontend
from specification.rules.state import State
from specification.services import HEADLESS, Endpoint, ServiceSpec, Slice


@dataclass(frozen=True)
class Candidate:
    """What EndpointSlices say about one endpoint of a frontend's Service port."""

    at: SocketAddress
    local: bool
    """Whether it is on the node under test by its nodeName; one without is on none (KEP-752)."""
    ready: bool
    """Whether new connections are for it; unknown counts as ready (API: discovery/v1)."""
    terminating: bool
    """Whether its pod is being deleted; unknown counts as not (API: discovery/v1)."""
    serving: bool
    """Whether it would answer; unknown counts as serving (API: discovery/v1)."""
    for_zones: tuple[str, ...]
    for_nodes: tuple[str, ...]

    @property
    def serving_while_terminating(self) -> bool:
        """Whether it still serves although its pod is being deleted (KEP-1672)."""
        return self.terminating and self.serving

    @property
    def usable(self) -> bool:
        """Whether there is any circumstance under which it may be chosen."""
        return self.ready or self.serving_while_terminating


Pool = tuple[Candidate, ...]


@functools.lru_cache(maxsize=4096)
def candidates(state: State, frontend: Frontend, family: Family) -> Pool:
    """All endpoints of a frontend in a family: of the EndpointSlices that bear the Service's name,
    have addresses of that family and a port of that name and protocol; of each entry the first
    address; each once, however many list it. Where a pod got the address of one that is still
    terminating, the running one has it (kubernetes#135593).

    Source: API, discovery/v1; docs, EndpointSlices.
    """
    service = frontend.service
    listed = dict.fromkeys(
        _candidate(state, endpoint, SocketAddress(endpoint.host.address(family), port.target))
        for writer, part in _slices(state).get((service.namespace, service.name), ())
        if family in writer.types_of(part)
        for port in writer.ports_of(part)
        if port.name == frontend.port.name and port.protocol == frontend.port.protocol
        if port.target
        for endpoint in part.endpoints
    )
    running = {each.at for each in listed if not each.terminating}
    return tuple(each for each in listed if not each.terminating or each.at not in running)


@functools.lru_cache(maxsize=16)
def _slices(state: State) -> dict[tuple[str, str | None], list[tuple[ServiceSpec, Slice]]]:
    """The EndpointSlices of a state by namespace and name of the Service that their label names,
    and whose they are written beside; without those that are labelled headless.
    """
    found: dict[tuple[str, str | None], list[tuple[ServiceSpec, Slice]]] = {}
    for writer in state.services:
        for part in writer.slices:
            if HEADLESS not in part.labels:
                key = writer.namespace, writer.owner_of(part)
                found.setdefault(key, []).append((writer, part))
    return found


def _candidate(state: State, entry: Endpoint, at: SocketAddress) -> Candidate:
    node = state.node.name
    name = entry.host.node_name(node) if entry.node_name == "" else entry.node_name
    return Candidate(
        at,
        local=name == node,
        ready=entry.ready is not False,
        terminating=entry.terminating is True,
        serving=entry.serving is not False,
        for_zones=entry.for_zones,
        for_nodes=entry.for_nodes,
    )


@clause("itp-local-only", "itp-local-states", "itp-cluster-default", "itp-not-external")
def internal_policy_is_local(case: Case) -> bool:
    """Under internalTrafficPolicy Local, connections to a cluster IP must only reach endpoints on
    the node that they are made at.

    Source: KEP-2086; docs, Virtual IPs and Service Proxies, internal traffic policy.
    """
    return case.frontend.internal and case.frontend.service.internal_traffic_policy == "Local"


@clause("etp-local-only", "etp-cluster-default", "etp-not-internal", "eip-local-policy")
def external_policy_is_local(case: Case) -> bool:
    """Under externalTrafficPolicy Local, connections from outside the cluster to its external
    frontends must only reach endpoints on the node that they come to.

    Source: docs, Virtual IPs and Service Proxies, external traffic policy.
    """
    if case.frontend.internal or case.frontend.service.external_traffic_policy != "Local":
        return False
    return not from_inside(case)


@clause("etp-pod-shortcircuit", "etp-host-shortcircuit", "etp-local-only")
def from_inside(case: Case) -> bool:
    """A pod, and a process on the node, that sends to an external frontend is inside already: it
    gets any endpoint of the cluster, as by the cluster IP.

    Source: docs, Virtual IPs and Service Proxies, external traffic policy; KEP-1860.
    """
    return case.from_pod or case.from_node


@clause("term-ready-only", "cip-tcp-dnat", "cip-udp-dnat", "lb-all-eps-hit")
def ready(case: Case, pool: Pool) -> Pool:
    """New connections must go to endpoints that are ready, to any of them, if there is one.

    Source: docs, Virtual IPs and Service Proxies; API, discovery/v1 EndpointConditions.ready.
    """
    return tuple(each for each in pool if each.ready)


@clause("topo-unannotated")
def hints_not_asked_for(case: Case) -> bool:
    """Hints are followed whatever the Service's annotations are; a proxy that does not offer it
    leaves them alone where the Service is not annotated as one with a topology mode.

    Source: KEP-4444; KEP-2433, before it.
    """
    if "unannotated-hints" in case.state.features:
        return False
    return not case.frontend.service.asks_for_hints


@clause("topo-node-hints", "topo-node-hint-partial", "topo-node-fallback-zone")
def hinted_for_this_node(case: Case, pool: Pool) -> Pool:
    """Where every ready endpoint has hints for nodes, and one of them for this node, only those
    that are hinted for it count; a proxy that does not offer it goes by zones.

    Source: KEP-3015 (PreferSameNode); API: discovery/v1 EndpointHints.forNodes.
    """
    if "node-hints" not in case.state.features or not all(each.for_nodes for each in pool):
        return ()
    return tuple(each for each in pool if case.state.node.name in each.for_nodes)


@clause("topo-zone-hints", "topo-multi-hints", "topo-missing-hint", "topo-no-match")
def hinted_for_this_zone(case: Case, pool: Pool) -> Pool:
    """Where every ready endpoint has hints for zones, the node has a zone, and one of them is
    hinted for it, only those that are count.

    Source: KEP-2433; docs, Topology Aware Routing, safeguards.
    """
    if not all(each.for_zones for each in pool):
        return ()
    return tuple(each for each in pool if case.state.node.zone in each.for_zones)


@clause("term-fallback-cluster", "term-fallback-local")
def terminating_but_serving(case: Case, pool: Pool) -> Pool:
    """Where no endpoint is ready, those count that are terminating and still serve.

    Source: KEP-1669; docs, Virtual IPs and Service Proxies, traffic to terminating endpoints.
    """
    return tuple(each for each in pool if each.serving_while_terminating)


def eligible(case: Case) -> Pool:
    """The endpoints any of which may get the connection; empty where none may."""
    pool = candidates(case.state, case.frontend, case.family)
    local = internal_policy_is_local(case) or external_policy_is_local(case)
    if local:
        pool = tuple(each for each in pool if each.local)
    chosen = ready(case, pool)
    if not chosen:
        return terminating_but_serving(case, pool)
    if local or hints_not_asked_for(case):  # hints are for who would leave the node
        return chosen
    return hinted_for_this_node(case, chosen) or hinted_for_this_zone(case, chosen) or chosen
