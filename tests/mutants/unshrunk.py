"""A pytest plugin that has no census shrink what it finds wrong: with a mutant nobody wants to know
the smallest Service that shows it.
"""

from __future__ import annotations

from conformance.census import conftest


def pytest_plugin_registered(plugin: object) -> None:
    """Leave no time for it."""
    if getattr(plugin, "__name__", "").endswith(conftest.__name__):
        vars(plugin)["SHRINKING"] = 0.0
