"""Sequences of changes: what is decided has no memory but that of connections."""

from __future__ import annotations

from conformance.census.sequences.conftest import Hold
from conformance.vocabulary import docs, kep, requirement, source


@requirement("seq-decisions", docs("virtual-ips"), docs("service"))
def test_new_connections(hold: Hold) -> None:
    """After any sequence of changes of Services, EndpointSlices and the node, and of restarts of
    the proxy, what becomes of a new connection must follow from what the API holds by then,
    whatever it held before.
    """
    hold("new")


@requirement("seq-flows-tcp", docs("virtual-ips"), kep(1669))
def test_established_connections(hold: Hold) -> None:
    """Through any sequence of changes and restarts of the proxy, an established TCP connection must
    stay with its endpoint for as long as its frontend admits its client.
    """
    hold("TCP")


@requirement(
    "seq-flows-udp",
    docs("virtual-ips"),
    source("pkg/proxy/conntrack/cleanup.go", "CleanStaleEntries"),
)
def test_datagrams(hold: Hold) -> None:
    """Through any sequence of changes and restarts of the proxy, datagrams of known ends must stay
    with an endpoint that serves and that new ones might get, or that terminates, and must leave one
    that has gone or no longer serves.
    """
    hold("UDP")
