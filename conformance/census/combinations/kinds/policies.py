"""Traffic policies, beyond what the census of policies tells."""

from __future__ import annotations

from conformance.census.combinations.kinds.words import decided, served
from conformance.census.decision import Decision


def _several(each: Decision) -> bool:
    return len(each.allowed.deliveries) > 1 and not each.sticky


def several_here(each: Decision) -> bool:
    """Several endpoints here, by the cluster IP under internalTrafficPolicy Local."""
    return decided(each, "internal_policy_is_local") and _several(each)


def several_here_from_outside(each: Decision) -> bool:
    """The same from outside, under externalTrafficPolicy Local."""
    return decided(each, "external_policy_is_local") and _several(each)


def seen_by_its_own_address(each: Decision) -> bool:
    """From outside, under externalTrafficPolicy Local."""
    return decided(each, "external_policy_is_local") and served(each)
