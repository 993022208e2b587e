"""Whether Services are served, whatever has become of kube-proxy meanwhile."""

from __future__ import annotations

from conformance.vocabulary import Service, World, client_of_each_kind, expect


def assert_served(web: Service, world: World) -> None:
    """New connections of each family and protocol to a cluster IP reach endpoints of its port web,
    and nobody else.
    """
    for client in client_of_each_kind(world):
        at = web.cluster_ip_of(client.family)
        endpoints = web.endpoints_of("web", client.family)
        expect(client.connect_many(at, web.port, 8)).delivered(to=endpoints)
