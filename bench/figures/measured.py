"""One measurement of one mode, before it becomes a record: samples, and what goes with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fixtures.world.latency import OwnWord

QUANTILES: Final = (1, 50, 90, 99)

_SHORT: Final = {
    "kubeproxy_sync_proxy_rules_duration_seconds": "sync_proxy_rules",
    "kubeproxy_network_programming_duration_seconds": "network_programming",
}


@dataclass(frozen=True)
class Measured:
    """``samples`` of a quantity in ``unit``; ``rounds`` holds one value for each interleaved round
    where that is not the samples themselves.
    """

    name: str
    mode: str | None
    unit: str
    samples: Sequence[float]
    target: str | None = None
    rounds: Sequence[float] | None = None
    own: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    def as_record(self) -> dict[str, Any]:
        """The members of a figure record that follow from the samples: see
        reports/records/figures.schema.json. Quantiles are there for ten samples and more.
        """
        values = np.asarray(self.samples, float)
        rounds = self.samples if self.rounds is None else self.rounds
        several = len(values) > 1
        return {
            "name": self.name,
            "mode": self.mode,
            "target": self.target,
            "unit": self.unit,
            "n": len(values),
            "p50": _round(np.median(values)),
            "min": _round(values.min()) if several else None,
            "max": _round(values.max()) if several else None,
            "mean": _round(values.mean()) if several else None,
            "rounds": [_round(value) for value in rounds],
            "own": dict(self.own),
            "note": self.note,
        } | {
            f"p{percent}": _round(np.percentile(values, percent)) if len(values) >= 10 else None
            for percent in QUANTILES
            if percent != 50
        }


def own_word(word: OwnWord) -> dict[str, float]:
    """What the proxy says of itself since ``word`` was made: mean seconds and counts."""
    found = {}
    for name, (mean, count) in word.means().items():
        found[_SHORT.get(name, name)] = round(mean, 6)
        found[f"{_SHORT.get(name, name)}_count"] = count
    return found


def _round(value: float) -> float:
    """Six significant digits: more would be noise, and make files large."""
    return float(f"{value:.6g}")
