"""Mutants of kube-proxy that do not forget what an object was: what the API server sends is altered
on its way, as in ``tests.mutants.faults.objects``, to what it sent of the same object before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.mutants.mutant import Mutant

Object = dict[str, Any]


def _mutant(
    name: str, breaks: str, resource: str, edit: Callable[[Object, Object], object]
) -> Mutant:
    """One that edits each object of a resource by what that was at first."""
    at_first: dict[str, Object] = {}

    def mutate(thing: Any, kind: str) -> list[Any]:
        if kind == resource:
            edit(thing, at_first.setdefault(thing["metadata"]["uid"], thing))
        return [thing]

    return Mutant(name, breaks, ("seq-decisions",), mutate, of_objects=True)


def _policies(now: Object, first: Object) -> None:
    for policy in ("internalTrafficPolicy", "externalTrafficPolicy"):
        if policy in now["spec"] and policy in first["spec"]:
            now["spec"][policy] = first["spec"][policy]


MUTANTS = (
    _mutant(
        "endpoints-remembered",
        "an EndpointSlice has the endpoints that it had at first",
        "endpointslices",
        lambda now, first: now.update(endpoints=first["endpoints"]),
    ),
    _mutant(
        "numbers-remembered",
        "a Service has the ports that it had at first",
        "services",
        lambda now, first: now["spec"].update(ports=first["spec"].get("ports", [])),
    ),
    _mutant(
        "policies-remembered",
        "a Service has the traffic policies that it had at first",
        "services",
        _policies,
    ),
)
