"""Whether something grows with what a proxy has done, and how fast: a leak, if it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, NamedTuple

import numpy as np
from scipy.stats import t as student

from reports.records.base import Interval
from reports.records.results import Statistic

WARMING: Final = 1 / 3
"""The part of a life that is left out at its beginning: buffers and caches fill."""

BATCHES: Final = 6
"""Samples that follow each other depend on each other; the means of so many batches of a life
hardly do (the method of batch means).
"""

CONFIDENCE: Final = 0.95
"""With which a slope is between its bounds."""


class Sample(NamedTuple):
    """How large something was."""

    hours: float
    """Since the first life began."""
    life: int
    """How often the proxy has been started."""
    operations: int
    """How many were done in this life."""
    value: float


@dataclass(frozen=True)
class Growth:
    """How much larger something is after 1,000 operations more, by a straight line in each life:
    lives have the slope in common, and begin where they like.
    """

    slope: float
    error: float
    """Its standard error."""
    freedom: int
    """Degrees of freedom of that."""
    samples: int

    @property
    def bounds(self) -> Interval:
        """Between which the slope is, with ``CONFIDENCE``."""
        beside = float(student.ppf((1 + CONFIDENCE) / 2, self.freedom)) * self.error
        return Interval(self.slope - beside, self.slope + beside)

    def more_than(self, tolerated: float) -> float:
        """The probability of such a slope, or a steeper one, where it is ``tolerated`` in truth."""
        if not self.error:
            return float(self.slope <= tolerated)
        return float(student.sf((self.slope - tolerated) / self.error, self.freedom))


def growth(samples: Sequence[Sample]) -> Growth:
    """How something has grown, of samples in their order.

    Raises:
        ValueError: no life has enough of them.
    """
    parts = [
        means
        for _, life in groupby(samples, key=lambda each: each.life)
        if (means := _batched(list(life))) is not None
    ]
    if not parts:
        raise ValueError(
            f"{len(samples)} samples: no life has {BATCHES} once it is warm; soak for longer"
        )
    x, y = (np.concatenate([part[axis] for part in parts]) for axis in (0, 1))
    spread = float(np.sum(x**2))
    slope = float(np.sum(x * y)) / spread
    freedom = len(x) - len(parts) - 1
    error = float(np.sqrt(np.sum((y - slope * x) ** 2) / freedom / spread))
    return Growth(slope, error, freedom, len(samples))


def _batched(life: Sequence[Sample]) -> np.ndarray | None:
    """Thousands of operations and values of a life, once it is warm: of each batch the mean, as
    far from the mean of all.
    """
    warm = list(life[round(len(life) * WARMING) :])
    if len(warm) < BATCHES:
        return None
    pairs = np.array([(each.operations / 1_000, each.value) for each in warm])
    batches = np.array([batch.mean(axis=0) for batch in np.array_split(pairs, BATCHES)])
    centred: np.ndarray = (batches - batches.mean(axis=0)).T
    return centred


def held(grown: Growth, name: str, tolerated: float, alpha: float) -> Statistic:
    """Whether something grows by no more than is ``tolerated`` for 1,000 operations, or may by
    chance alone have seemed to.
    """
    return Statistic(
        name=name,
        discipline=f"up to {tolerated:g} more after 1,000 operations counts as none",
        test="one-sided t-test of the slope of batch means",
        counts=(grown.slope,),
        expected=(0.0,),
        statistic=grown.slope,
        p=grown.more_than(tolerated),
        alpha=alpha,
        sample=grown.samples,
    )
