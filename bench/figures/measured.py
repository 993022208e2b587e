"""One measurement of one mode, before it becomes a record: samples, and what goes with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from bench.machine import disturbed
from reports.records.figures import Figure, Name, Series, Unit, rounded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fixtures.world.latency import OwnWord

QUANTILES: Final = (1, 50, 90, 99)


@dataclass(frozen=True)
class Measured:
    """``samples`` of a quantity in ``unit``; ``rounds`` holds one value for each interleaved round
    where that is not the samples themselves.
    """

    name: Name
    mode: str | None
    unit: Unit
    samples: Sequence[float]
    target: str | None = None
    rounds: Sequence[float] | None = None
    own: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    def as_figure(
        self, services: int, series: Series, state: Mapping[str, float], seed: int
    ) -> Figure:
        """What is recorded of it, with quantiles for ten samples and more; ``state`` is that of the
        machine meanwhile.
        """
        values = np.asarray(self.samples, float)
        several, many = len(values) > 1, len(values) >= 10
        p1, p50, p90, p99 = (rounded(np.percentile(values, percent)) for percent in QUANTILES)
        return Figure(
            name=self.name,
            mode=self.mode,
            services=services,
            series=series,
            target=self.target,
            unit=self.unit,
            n=len(values),
            p1=p1 if many else None,
            p50=p50,
            p90=p90 if many else None,
            p99=p99 if many else None,
            min=rounded(values.min()) if several else None,
            max=rounded(values.max()) if several else None,
            mean=rounded(values.mean()) if several else None,
            rounds=tuple(map(rounded, self.samples if self.rounds is None else self.rounds)),
            own=dict(self.own),
            state=dict(state),
            disturbed=disturbed(state),
            seed=seed,
            note=self.note,
        )


def own_word(word: OwnWord) -> dict[str, float]:
    """What the proxy says of itself since ``word`` was made: mean seconds and counts."""
    found: dict[str, float] = {}
    for name, (mean, count) in word.means().items():
        short = name.removeprefix("kubeproxy_").removesuffix("_duration_seconds")
        found |= {short: round(mean, 6), f"{short}_count": count}
    return found
