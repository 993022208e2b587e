"""What becomes of a connection that no endpoint may get."""

from __future__ import annotations

from specification.rules.case import Case, clause
from specification.rules.endpoints import candidates
from specification.rules.frontends import owned


@clause("sec-martian-l2", "np-localhost-v6-never")
def loopback_from_elsewhere(case: Case) -> bool:
    """A loopback address has no business on a wire: nobody is served by it or with it who is not on
    the node.

    Source: RFC 1122, 3.2.1.3; RFC 4291, 2.5.3; CVE-2020-8558.
    """
    ends = case.attempt.client.address, case.attempt.target.address
    return case.place != "node" and any(each.is_loopback for each in ends)


@clause(
    "noep-cip-tcp", "noep-cip-udp", "noep-nodeport", "noep-lb", "noep-eip", "noep-reject-vs-drop"
)
def no_endpoint_anywhere(case: Case) -> bool:
    """Where a Service port has no endpoint that could be chosen, anywhere, clients must be refused
    at once, so that they need not wait.

    Source: docs, Virtual IPs and Service Proxies, "rejected"; kube-proxy's unit tests,
    TestNoEndpointsReject.
    """
    return not any(each.usable for each in candidates(case.state, case.frontend, case.family))


@clause("itp-local-none-drop", "etp-local-none-drop", "noep-reject-vs-drop")
def a_policy_keeps_from_endpoints_elsewhere(case: Case) -> bool:
    """Where there are endpoints, but a Local policy excludes them all, nobody gets the connection;
    it is dropped, for others may serve it: a load balancer tries another node.

    Source: docs, Virtual IPs and Service Proxies, internal and external traffic policy.
    """
    return True


@clause(
    "cip-unserved-port", "cip-unserved-port-rejected", "cip-proto-mismatch", "cip-nonsvc-untouched"
)
def unserved_port_of_a_cluster_ip(case: Case) -> bool:
    """The cluster IP is a Service's, but the Service has no such port: no endpoint gets it. It may
    be refused, or left to routing.

    Source: KEP-3866, unused ports of cluster IPs.
    """
    return "cluster-ip" in owned(case.state).get(case.attempt.target.address, ())


@clause("eip-unserved-port", "np-lbip-nodeport", "cip-nonsvc-untouched")
def unserved_port_of_an_external_address(case: Case) -> bool:
    """The same of a load balancer's IP or an external IP, which may have other owners: it may be
    refused, or left to them.

    Source: KEP-3866 (which speaks of cluster IPs alone).
    """
    return case.attempt.target.address in owned(case.state)


@clause("cip-unallocated-ip", "cip-nonsvc-untouched")
def unallocated_cluster_ip(case: Case) -> bool:
    """The address is in a range of cluster IPs, but no Service has it: no endpoint gets it.

    Source: KEP-3866, unallocated cluster IPs.
    """
    ranges = case.state.configuration.service_ranges
    return any(case.attempt.target.address in each for each in ranges)


@clause("np-remove", "np-change", "cip-nonsvc-untouched")
def nobody_listens_at_the_node(case: Case) -> bool:
    """What is addressed to the node itself and to no frontend is its own: nobody listens there.

    Source: kube-proxy Configuration (v1alpha1), nodePortAddresses; RFC 9293, 3.10.7.1; RFC 1122.
    """
    address = case.attempt.target.address
    return address in case.state.node.addresses or address.is_loopback


@clause("cip-nonsvc-untouched", "np-remote-dst-untouched", "ipm-proxy", "cip-direct-podip")
def not_a_services(case: Case) -> bool:
    """What is addressed to nobody's Service is not for a proxy to touch.

    Source: docs, Virtual IPs and Service Proxies; KEP-1860.
    """
    return True
