"""A pytest plugin for requirements that are to fail: no census shrinks what it finds wrong, and no
sequence is shortened, since nobody wants to know the least that shows a mutant.
"""

from __future__ import annotations

from conformance.census import conftest
from conformance.census.sequences import session


def pytest_configure() -> None:
    """Leave no time to shorten sequences."""
    vars(session)["SHORTENING"] = 0.0


def pytest_plugin_registered(plugin: object) -> None:
    """Leave no time for it."""
    if getattr(plugin, "__name__", "").endswith(conftest.__name__):
        vars(plugin)["SHRINKING"] = 0.0
