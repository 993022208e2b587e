"""Integrity: connections that end, and what comes after them from the same ports."""

from __future__ import annotations

import pytest

from conformance.integrity.conftest import with_all_frontends
from conformance.vocabulary import (
    ATTEMPTS,
    LabClient,
    Service,
    SocketAddress,
    e2e,
    expect,
    over,
    requirement,
    rfc,
)

pytestmark = [over(protocol="TCP", vantage=["pod", "outside"]), with_all_frontends]


@requirement("proto-tcp-halfclose", e2e("kube_proxy", "CLOSE_WAIT"), rfc(9293, "3.6"))
def test_connections_are_closed(frontends: list[SocketAddress], client: LabClient) -> None:
    """A client's FIN, and its reset, must reach the endpoint of their TCP connection; behind a FIN,
    and in the other direction, so must what the endpoint still has to say and its own FIN.
    """
    for frontend in frontends:
        flows = client.open(*frontend, ATTEMPTS)
        expect(flows.close(), "closed").kept(flows)
        assert client.open(*frontend, ATTEMPTS).reset() == ATTEMPTS, frontend


@requirement("ct-tcp-port-reuse", rfc(9293, "3.6.1"), rfc(6191, "2"))
@pytest.mark.parametrize("end", ["closed", "reset"])
def test_a_client_may_use_a_port_again(
    web: Service, frontends: list[SocketAddress], client: LabClient, end: str
) -> None:
    """A client that connects again from the port of a connection that has just been closed by both
    ends, or reset, must be served by its first packet.
    """
    for frontend in frontends:
        flows = client.open(*frontend, ATTEMPTS)
        if end == "closed":
            expect(flows.close(), end).kept(flows)
        else:
            assert flows.reset() == ATTEMPTS, frontend
        ports = flows.opened.client_ports
        again = client.connect_many(*frontend, ATTEMPTS, source_ports=ports)
        expect(again, f"from the ports of connections that were {end}").delivered(to=web)
