"""Protocols at what clients outside the cluster may use."""

from __future__ import annotations

from conformance.census.combinations.kinds.words import served
from conformance.census.decision import Decision


def tcp_at_external_frontends(each: Decision) -> bool:
    """TCP at a nodePort, an external IP or a load balancer's IP."""
    return each.attempt.protocol == "TCP" and each.external and served(each)


def datagrams_at_external_frontends(each: Decision) -> bool:
    """UDP at the same."""
    return each.attempt.protocol == "UDP" and each.external and served(each)


def sctp_at_external_frontends(each: Decision) -> bool:
    """SCTP at the same."""
    return each.attempt.protocol == "SCTP" and each.external and served(each)
