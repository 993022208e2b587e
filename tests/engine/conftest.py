"""A node in memory and the lab around it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from clusters.simulated.kernel import Rule
from clusters.simulated.node import SimulatedNode
from fixtures.lab.lab import Lab
from specification.addresses import FAMILIES, Family
from tests.engine.tools import Rules

if TYPE_CHECKING:
    from clusters.contract import Node


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run one case of each requirement, in each family where its proxy is straight, and from a
    vantage that the lab plays.
    """
    chosen: dict[tuple[object, ...], pytest.Item] = {}
    left: list[pytest.Item] = []
    for item in items:
        params = getattr(item, "callspec", SimpleNamespace(params={})).params
        if "bent" in params:
            family = "" if params["bent"] else params["family"]
            key = item.name.partition("[")[0], params["bent"], family
            if params.get("vantage") == "node" or chosen.setdefault(key, item) is not item:
                left.append(item)
    items[:] = [item for item in items if item not in left]
    config.hook.pytest_deselected(items=left)


@pytest.fixture
def rules() -> Rules:
    """The rules of the node's proxy."""
    return Rules()


@pytest.fixture
def node(rules: Rules) -> SimulatedNode:
    """A node in memory."""
    rule: Rule = rules
    return SimulatedNode(rule, seed=1)


@pytest.fixture
def lab(node: SimulatedNode) -> Lab:
    """The lab around it."""
    return Lab(cast("Node", node), seed=1)


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> Family:
    """Both IP families in turn."""
    return cast("Family", request.param)
