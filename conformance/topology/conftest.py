"""What the tests of this area share: a proxy that knows which zone its node is in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conformance.vocabulary import World
from fixtures.world import zone


@pytest.fixture
def zone_known(world: World, names: Callable[[], str]) -> None:
    """Before a test begins."""
    zone.tell(world, names)
