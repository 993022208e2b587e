"""Mutants that take EndpointSlices for what they are not, or forget them: what the API server sends
is altered on its way, as in ``tests.mutants.faults.objects``.
"""

from __future__ import annotations

from typing import Any

from specification.addresses import CLUSTER_CIDRS
from tests.mutants.mutant import Mutant

_LABEL = "kubernetes.io/service-name"

_SOMEBODY = str(CLUSTER_CIDRS["IPv4"][-2])
"""The address that every name is resolved to."""

_KNOWN: set[str] = set()
"""The names of all Services that were told."""


def _misread(thing: Any, kind: str) -> list[Any]:
    if kind == "endpointslices":
        metadata = thing["metadata"]
        for owner in metadata.get("ownerReferences") or ():
            metadata.setdefault("labels", {}).setdefault(_LABEL, owner["name"])
        named = thing["addressType"] == "FQDN"
        thing["addressType"] = "IPv4" if named else thing["addressType"]
        for each in thing["endpoints"] or ():
            each["addresses"] = [_SOMEBODY] if named else each["addresses"][-1:]
    return [thing]


def _early_ignored(thing: Any, kind: str) -> list[Any]:
    if kind == "services":
        _KNOWN.add(thing["metadata"]["name"])
    known = kind != "endpointslices" or thing["metadata"].get("labels", {}).get(_LABEL) in _KNOWN
    return [thing] if known else []


MUTANTS = (
    Mutant(
        "slices-misread",
        "slices are their owners', of several addresses the last counts, and names are pods",
        ("cip-slice-no-svc-label", "cip-first-address-only", "cip-slice-fqdn-ignored"),
        _misread,
        of="objects",
    ),
    Mutant(
        "early-slices-ignored",
        "slices are forgotten that are told before their Service is",
        ("cip-order-independent",),
        _early_ignored,
        of="objects",
    ),
)
