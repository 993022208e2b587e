"""Services that tests of several areas arrange: see fixtures.plugin.arrangement."""

from __future__ import annotations

from fixtures.services.services import Services
from specification.services import Port, ServiceSpec


def here_and_there(service: Services) -> list[ServiceSpec]:
    """One with an endpoint on the node, and one with an endpoint on another node."""
    return [service.spec(["pod"]), service.spec(["remote-pod"])]


def two(service: Services) -> list[ServiceSpec]:
    """Two with two endpoints each, of their own."""
    return [service.spec(2), service.spec(2)]


WEB_AND_ADMIN = Port(80, 8080, name="web"), Port(81, 8081, name="admin")
"""Two ports with the same endpoints."""
