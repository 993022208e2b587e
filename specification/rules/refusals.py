"""What becomes of a connection that no endpoint may get."""

from __future__ import annotations

from ipaddress import ip_network

from specification.addresses import IPNetwork
from specification.rules.case import Case, clause
from specification.rules.endpoints import candidates
from specification.rules.frontends import addresses_of, is_proxied


@clause("lbsr-deny", "lbsr-pods-subject", "lbsr-host-subject", "lbsr-multi-vip", "lbsr-udp")
def outside_the_source_ranges(case: Case) -> bool:
    """Whoever is outside of all loadBalancerSourceRanges must not get through to a load balancer's
    IP, by whatever way; other frontends are not concerned.

    Source: API, core/v1 Service.spec.loadBalancerSourceRanges; docs, Service.
    """
    ranges = _ranges(case)
    return bool(ranges) and not any(case.attempt.client.address in each for each in ranges)


@clause("lbsr-family-hole")
def ranges_of_the_other_family_alone(case: Case) -> bool:
    """Nothing says whether source ranges of one family alone leave the other open or closed."""
    listed = case.frontend.service.load_balancer_source_ranges
    return case.frontend.kind == "load-balancer-ip" and bool(listed) and not _ranges(case)


@clause("noep-cip-tcp", "noep-cip-udp", "noep-nodeport", "noep-lb", "noep-eip")
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


@clause("cip-unserved-port")
def unserved_port_of_a_service(case: Case) -> bool:
    """The address is a Service's own, but the Service has no such port: no endpoint gets it.

    Source: KEP-3866, unused ports of cluster IPs.
    """
    return any(
        address == case.attempt.target.address
        for service in filter(is_proxied, case.state.services)
        for _, address in addresses_of(case.state, service)
    )


@clause("cip-unallocated-ip")
def unallocated_cluster_ip(case: Case) -> bool:
    """The address is in a range of cluster IPs, but no Service has it: no endpoint gets it.

    Source: KEP-3866, unallocated cluster IPs.
    """
    ranges = case.state.configuration.service_ranges
    return any(case.attempt.target.address in each for each in ranges)


@clause("cip-nonsvc-untouched", "np-remote-dst-untouched", "ipm-proxy")
def not_a_services(case: Case) -> bool:
    """What is addressed to nobody's Service is not for a proxy to touch."""
    return True


def _ranges(case: Case) -> list[IPNetwork]:
    """The source ranges that bind an attempt: those of its family, at a load balancer's IP."""
    listed = case.frontend.service.load_balancer_source_ranges
    ranges = (ip_network(str(each).strip()) for each in listed)
    version = case.attempt.client.address.version
    at_balancer = case.frontend.kind == "load-balancer-ip"
    return [each for each in ranges if at_balancer and each.version == version]
