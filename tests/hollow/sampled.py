"""A pytest plugin that has one case of each requirement run, chosen by the seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fixtures.plugin.sampling import sample

if TYPE_CHECKING:
    import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the others out."""
    items[:], left_out = sample(items, frozenset({"hollow"}), config.option.seed)
    config.hook.pytest_deselected(items=left_out)
