"""Two kube-proxies on one node, by mistake."""

from __future__ import annotations

from functools import partial
from typing import Final

from conformance.vocabulary import (
    ATTEMPTS,
    Client,
    Node,
    Service,
    Services,
    SocketAddress,
    by_time,
    over,
    requirement,
    setting,
    source,
)

_SOON: Final = 60.0  # seconds after which both should have come to the end of the changes
_CHANGES: Final = 5
_TWICE: Final = ["sh", "-c", '"$0" "$@" & exec "$0" "$@"']


def _chosen(client: Client, web: Service) -> set[SocketAddress | None]:
    return set(client.connect_many(*web.frontend, ATTEMPTS).chosen)


def _leads_to(client: Client, web: Service, endpoint: SocketAddress) -> bool:
    return _chosen(client, web) == {endpoint}


@requirement(
    "life-two-instances",
    setting("KubeProxyConfiguration.bindAddressHardFail"),
    source("cmd/kube-proxy/app/server.go", "serveHealthz"),
    feature="kube-proxy-modes",
)
@over(protocol="TCP")
def test_two_at_once(service: Services, client: Client, bare_node: Node) -> None:
    """Where kube-proxy runs twice on a node, the second must say in the log that the address of its
    health is in use, and changes of Services and endpoints must come into force nevertheless, and
    stay so.
    """
    proxy = bare_node.proxy
    position = proxy.log_position()
    proxy.start(wrapper=_TWICE)
    by_time(
        "the second finds the ports in use",
        lambda: "address already in use" in proxy.log_since(position),
        _SOON,
    )
    web = service(1)
    for _ in range(_CHANGES):
        web.set_endpoints([service.endpoint()], settle=False)
        service(1)
    right = web.socket(0)
    by_time("both have seen the changes", partial(_leads_to, client, web, right), _SOON)
    service.settle(syncs=2)
    by_time("no old one comes back", partial(_leads_to, client, web, right), _SOON)
    assert _chosen(client, web) == {right}
