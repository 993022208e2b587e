"""Protocols at what clients outside the cluster may use."""

from __future__ import annotations

from conformance.census.combinations.kinds import protocols
from conformance.census.conftest import Hold
from conformance.vocabulary import docs, kep, requirement


@requirement("proto-tcp-np-lb", docs("service", "type LoadBalancer"))
def test_tcp(hold: Hold) -> None:
    """TCP connections to nodePorts, external IPs and load balancers' IPs must be opened with an
    endpoint.
    """
    hold(protocols.tcp_at_external_frontends)


@requirement("proto-udp-np-lb", docs("service", "type LoadBalancer"))
def test_udp(hold: Hold) -> None:
    """Datagrams to nodePorts, external IPs and load balancers' IPs must be sent to an endpoint."""
    hold(protocols.datagrams_at_external_frontends)


@requirement("proto-sctp-np-lb", kep(614), feature="sctp")
def test_sctp(hold: Hold) -> None:
    """SCTP associations to nodePorts, external IPs and load balancers' IPs must be set up
    with an endpoint.
    """
    hold(protocols.sctp_at_external_frontends)
