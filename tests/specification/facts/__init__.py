"""Facts by what they are about."""

from tests.specification.facts import (
    changes,
    flows,
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

ABOUT = (
    policies,
    terminating,
    topology,
    sources,
    ranges,
    refusals,
    frontends,
    slices,
    changes,
    flows,
)

ROWS: list[Row] = [
    row
    for module in ABOUT
    for found in vars(module).values()
    if isinstance(found, list)
    for row in found
]
"""All of them."""
