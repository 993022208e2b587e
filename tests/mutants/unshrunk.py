"""A pytest plugin for requirements that are to fail: no census shrinks what it finds wrong, since
nobody wants to know the smallest Service that shows a mutant; and one worker runs all of an area
with a mutant, or each would take its census.
"""

from __future__ import annotations

from conformance.census import conftest
from fixtures.plugin import arrangement


def pytest_configure() -> None:
    """Have stages be as large at the end as before."""
    vars(arrangement)["_PARTS"] = 1 / arrangement.SIZE


def pytest_plugin_registered(plugin: object) -> None:
    """Leave no time for it."""
    if getattr(plugin, "__name__", "").endswith(conftest.__name__):
        vars(plugin)["SHRINKING"] = 0.0
