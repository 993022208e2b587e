"""A pytest plugin for requirements that are to fail: no census shrinks what it finds wrong, and no
sequence is shortened, since nobody wants to know the least that shows a mutant; and one worker runs
all of an area with a mutant, or each would take its census.
"""

from __future__ import annotations

from conformance.census import conftest
from conformance.census.sequences import session
from fixtures.plugin import arrangement


def pytest_configure() -> None:
    """Have stages be as large at the end as before, and leave no time to shorten sequences."""
    vars(arrangement)["_PARTS"] = 1 / arrangement.SIZE
    vars(session)["SHORTENING"] = 0.0


def pytest_plugin_registered(plugin: object) -> None:
    """Leave no time for it."""
    if getattr(plugin, "__name__", "").endswith(conftest.__name__):
        vars(plugin)["SHRINKING"] = 0.0
