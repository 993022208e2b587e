"""A pytest plugin that has the wide census draw as many Services as SERVICES says."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

from conformance.census.combinations import axes

if TYPE_CHECKING:
    from conformance.census.combinations.axes import Row


def pytest_configure() -> None:
    """Draw so many."""
    count, draw = int(os.environ["SERVICES"]), axes.drawn

    def drawn(_: int, by: random.Random) -> list[Row]:
        return draw(count, by)

    vars(axes).update(drawn=drawn)
