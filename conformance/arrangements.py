"""Services that tests of several areas arrange: see fixtures.plugin.arrangement."""

from __future__ import annotations

from dataclasses import replace

from fixtures.services.services import Services
from specification.services import Endpoint, Port, ServiceSpec


def here_and_there(service: Services) -> list[ServiceSpec]:
    """One with an endpoint on the node, and one with an endpoint on another node."""
    return [service.spec(["pod"]), service.spec(["remote-pod"])]


def node_ports_here_and_there(service: Services) -> list[ServiceSpec]:
    """The same with nodePorts."""
    return [service.spec([place], type="NodePort") for place in ("pod", "remote-pod")]


def two(service: Services) -> list[ServiceSpec]:
    """Two with two endpoints each, of their own."""
    return [service.spec(2), service.spec(2)]


def ending(endpoint: Endpoint) -> Endpoint:
    """The same endpoint, terminating while it still serves."""
    return replace(endpoint, ready=False, serving=True, terminating=True)


WEB_AND_ADMIN = Port(80, 8080, name="web"), Port(81, 8081, name="admin")
"""Two ports with the same endpoints."""
