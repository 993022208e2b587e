"""A bench up to 10,000 Services, in which one mode grows and the other does not."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from tests.samples import bench

if TYPE_CHECKING:
    from pathlib import Path

SIZES = [100, 1_000, 5_000, 10_000]


def _figure(
    name: str, mode: str | None, services: int, middle: float, **changes: Any
) -> dict[str, Any]:
    draw = random.Random(f"{name}{mode}{services}")
    rounds = [middle * draw.gauss(1, 0.04) for _ in range(30)]
    spread = {"p1": 0.8, "p50": 1.0, "p90": 1.4, "p99": 2.0, "min": 0.7, "max": 4.0, "mean": 1.1}
    values = {quantile: middle * factor for quantile, factor in spread.items()}
    return bench.figure(name, mode, services, **values, rounds=rounds, **changes)


def generate(folder: Path, *, slower: float = 1.0, pace: float = 1.0, **changes: Any) -> Path:
    """Write the bench; changes of Services and endpoints take that many times as long as they
    should, and so do packets on a slow machine.
    """
    figures = []
    for size in SIZES:
        figures.append(_figure("floor", None, size, 3.0 * pace))
        for mode in bench.MODES:
            grows = mode == "iptables"
            first = 10 + (0.0091 * size if grows else 0)
            sync = (20 + 0.15 * size if grows else 22) * slower
            gone = 3 if grows else 1
            figures += [
                _figure("first-packet", mode, size, first * pace, target="random"),
                _figure("established-packet", mode, size, 6.0 * pace),
                _figure("sync-service-add", mode, size, sync, unit="ms"),
                _figure("sync-endpoint-add", mode, size, sync * 0.9, unit="ms"),
                _figure("gone-endpoint-packets", mode, size, gone, unit="packets"),
            ]
    return bench.write(folder, [bench.header(**changes), *bench.derived(figures)])
