"""Facts by what they are about."""

from tests.specification.facts import (
    frontends,
    policies,
    ranges,
    refusals,
    slices,
    sources,
    terminating,
    topology,
)
from tests.specification.table import Row

ROWS: list[Row] = [
    row
    for module in (policies, terminating, topology, sources, ranges, refusals, frontends, slices)
    for found in vars(module).values()
    if isinstance(found, list)
    for row in found
]
"""All of them."""
