"""Kinds of decisions of the wide census: what each of its requirements looks at. The clauses of the
specification that had a say tell them apart.
"""

from __future__ import annotations

import inspect
from typing import Final

from conformance.census.combinations.kinds import (
    conditions,
    external_ips,
    families,
    hints,
    left_alone,
    load_balancers,
    node_ports,
    policies,
    protocols,
    source_ranges,
    sources,
)
from conformance.census.combinations.kinds.words import (
    at_a_balancers_ip,
    at_an_external_ip,
    decided,
)
from conformance.census.decision import Decision
from conformance.census.kinds import Kind

_THEMES: Final = (
    *(hints, conditions, policies, source_ranges, load_balancers, external_ips, left_alone),
    protocols,
    *(node_ports, sources, families),
)

ALL: Final[dict[str, Kind]] = {
    name: found
    for theme in _THEMES
    for name, found in inspect.getmembers(theme, inspect.isfunction)
    if found.__module__ == theme.__name__ and name[0] != "_"
}
"""All by name; each is a requirement's."""

OF_THE_NODE: Final = ("captured_from_the_node", "external_from_the_node", "node_shut_out")
"""Those that need a process on the node."""


def told_elsewhere(each: Decision) -> bool:
    """What a requirement of the census of policies has to itself."""
    theirs = each.vantage == "node" and (at_an_external_ip(each) or at_a_balancers_ip(each))
    nobody = theirs and decided(each, "no_endpoint_anywhere")
    return nobody or decided(each, "from_inside", "a_policy_keeps_from_endpoints_elsewhere")
