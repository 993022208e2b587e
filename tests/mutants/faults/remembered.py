"""Mutants of kube-proxy that do not forget what an object was: what the API server sends is altered
on its way, as in ``tests.mutants.faults.objects``, to what it sent of the same object before.
"""

from __future__ import annotations

from typing import Any

from tests.mutants.mutant import Mutant

_AT_FIRST: dict[str, list[Any]] = {}
"""The endpoints of each EndpointSlice when it was told for the first time, by its uid."""


def _endpoints(thing: Any, kind: str) -> list[Any]:
    if kind == "endpointslices":
        first = _AT_FIRST.setdefault(thing["metadata"]["uid"], thing["endpoints"])
        thing["endpoints"] = first
    return [thing]


MUTANTS = (
    Mutant(
        "endpoints-remembered",
        "an EndpointSlice has the endpoints that it had at first",
        ("seq-decisions",),
        _endpoints,
        of_objects=True,
    ),
)
