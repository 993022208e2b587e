"""Where nothing is decided, and why: what the documents leave open, and what an implementation may
leave out.
"""

from __future__ import annotations

from specification.rules.case import Case, clause
from specification.rules.endpoints import candidates
from specification.rules.frontends import is_proxied, names_node_ports_of
from specification.rules.ranges import ranges_of
from specification.services import HEADLESS


@clause("cip-sctp-dnat", "np-sctp", "proto-sctp-np-lb", "cip-tcp-dnat")
def sctp_is_not_offered(case: Case) -> str:
    """A proxy may leave SCTP out.

    Source: docs, Protocols for Services, SCTP (KEP-614).
    """
    offered = case.attempt.protocol != "SCTP" or "sctp" in case.state.features
    return "" if offered else "nobody has to serve SCTP"


@clause("cip-from-external", "cip-tcp-dnat", "np-tcp")
def strangers_need_not_be_served(case: Case) -> str:
    """Cluster IPs are for the cluster: who comes from elsewhere may be served or not.

    Source: docs, Service, type ClusterIP.
    """
    inside = case.from_node or case.place == "pod" or "external-clients" in case.state.features
    return "" if inside or not case.frontend.internal else "cluster IPs are for the node's own"


@clause("cip-no-cross-service", "np-same-number-tcp-udp", "lbsr-allow")
def several_claim_it(case: Case) -> str:
    """Where several Services claim an address and a port, any of them may have it; and source
    ranges may bind or not where the load balancer's IP is an external IP, too.

    Source: docs, Service, external IPs (collisions are the administrator's to avoid).
    """
    services = {(each.service.namespace, each.service.name) for each in case.claims}
    fields = len(case.claims) > 1 and case.frontend.service.load_balancer_source_ranges
    return "several frontends claim the address" if len(services) > 1 or fields else ""


@clause("cip-slice-gains-headless")
def the_service_is_labelled_headless(case: Case) -> str:
    """The label headless is for EndpointSlices (API: core/v1 IsHeadlessService); whether a Service
    that bears it is looked at depends on the release.

    Source: kubernetes/kubernetes, cmd/kube-proxy/app/server.go, the informers' selectors.
    """
    bears = HEADLESS in case.frontend.service.labels
    return "a Service may or may not be ignored for the label headless" if bears else ""


@clause("cip-slice-dedupe", "cip-slice-dup-move")
def slices_disagree(case: Case) -> str:
    """Where EndpointSlices disagree about an endpoint, nothing says which of them is right.

    Source: API, discovery/v1 EndpointSlice; KEP-752, duplicate endpoints.
    """
    found = candidates(case.state, case.frontend, case.family)
    twice = len({each.at for each in found}) < len(found)
    return "EndpointSlices disagree about an endpoint" if twice else ""


@clause("lbsr-allow", "lbsr-deny", "eip-no-lbsr")
def ranges_of_the_other_family_alone(case: Case) -> str:
    """Nothing says whether source ranges of one family alone leave the other open or closed.

    Source: API, core/v1 Service.spec.loadBalancerSourceRanges.
    """
    service, kind = case.frontend.service, case.frontend.kind
    listed = kind == "load-balancer-ip" and service.load_balancer_source_ranges
    return "the source ranges are of the other family" if listed and not ranges_of(case) else ""


@clause("cip-from-host", "np-from-host")
def a_loopback_source_leads_nowhere(case: Case) -> str:
    """Whether a process that is bound to a loopback address gets beyond loopback is its kernel's
    business.

    Source: RFC 1122, 3.2.1.3; Linux, route_localnet.
    """
    client, target = case.attempt.client.address, case.attempt.target.address
    leaves = client.is_loopback and not target.is_loopback
    return "packets from loopback addresses are not routed" if leaves else ""


@clause("cip-unserved-port", "cip-unserved-port-rejected", "cip-unallocated-ip")
def a_node_port_by_default(case: Case) -> str:
    """Where nodePortAddresses says nothing of a family, the node's other addresses may serve
    nodePorts or not.

    Source: docs, Virtual IPs and Service Proxies (modes differ); KEP-3866.
    """
    state, target = case.state, case.attempt.target
    if target.address not in state.node.addresses or names_node_ports_of(state, case.family):
        return ""
    known = any(
        (port.node_port, port.protocol) == (target.port, case.attempt.protocol)
        for service in filter(is_proxied, state.services)
        if case.family in service.families and service.type in ("NodePort", "LoadBalancer")
        for port in service.ports
    )
    return "nodePorts may be served at this address of the node's" if known else ""


def reason(case: Case) -> str:
    """Why nothing is decided; empty where something is."""
    if not case.addressed:
        return a_node_port_by_default(case) or a_loopback_source_leads_nowhere(case)
    return (
        sctp_is_not_offered(case)
        or strangers_need_not_be_served(case)
        or several_claim_it(case)
        or the_service_is_labelled_headless(case)
        or slices_disagree(case)
        or ranges_of_the_other_family_alone(case)
        or a_loopback_source_leads_nowhere(case)
    )
