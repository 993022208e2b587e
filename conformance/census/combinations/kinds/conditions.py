"""Conditions of endpoints."""

from __future__ import annotations

from conformance.census.combinations.kinds.words import addressed, decided, ready, served
from conformance.census.decision import Decision


def published(each: Decision) -> bool:
    """A ready endpoint is terminating, and does not serve."""
    return decided(each, "ready") and any(entry.terminating for entry in ready(each))


def published_in_vain(each: Decision) -> bool:
    """The field publishNotReadyAddresses is set, but no endpoint is published as ready."""
    none = not ready(each) and bool(each.service.endpoints)
    return each.service.publish_not_ready_addresses and none and addressed(each)


def unknown(each: Decision) -> bool:
    """Nothing is said about an endpoint."""
    nothing = any(entry.ready is None for entry in each.service.endpoints)
    return nothing and decided(each, "ready")


def serving_though_not_ready(each: Decision) -> bool:
    """An endpoint is not ready, serves, and is not terminating."""
    listed = ((e.ready, e.serving, e.terminating) for e in each.service.endpoints)
    return addressed(each) and (False, True, False) in listed


def serving_unknown(each: Decision) -> bool:
    """No endpoint is ready, and of one that is terminating nothing says whether it serves."""
    doubtful = any(e.terminating and e.serving is None for e in each.service.endpoints)
    return doubtful and served(each) and decided(each, "terminating_but_serving")


def terminating_unknown(each: Decision) -> bool:
    """An endpoint is not ready, and nothing says whether it is terminating."""
    listed = ((e.ready, e.terminating) for e in each.service.endpoints)
    return addressed(each) and (False, None) in listed
