"""What the figures of several modes and numbers of Services say together: ratios, growth,
crossovers, each with its 95 % confidence interval by the bootstrap.

Everything here is plain numbers: a **series** is one value for each interleaved round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from scipy import stats

from reports.records.figures import Law

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

RESAMPLES: Final = 2999
CONFIDENCE: Final = 0.95

NOTICEABLE: Final = 0.25
"""Growth from the smallest to the largest number of Services of less than this share is called
constant, however sure it is: caches and hash tables make everything a little slower.
"""


class Estimate(NamedTuple):
    """A value between the bounds of its confidence interval."""

    value: float
    low: float
    high: float


class Line(NamedTuple):
    """``intercept + slope * size``; ``law`` is linear, or constant where the slope is in doubt or
    does not matter.
    """

    law: Law
    intercept: float
    slope: Estimate
    flat: bool
    """Whether even the upper bound of the slope makes no noticeable growth."""


def ratio(first: Sequence[float], second: Sequence[float], seed: int) -> Estimate:
    """The median of one series divided by that of another, whose values are pairs.

    ValueError where they are no pairs, or less than two.
    """
    if len(first) != len(second) or len(first) < 2:
        raise ValueError(f"{len(first)} and {len(second)} values make no pairs")

    def statistic(x: NDArray[Any], y: NDArray[Any], axis: int = -1) -> NDArray[Any]:
        quotient: NDArray[Any] = np.median(x, axis=axis) / np.median(y, axis=axis)
        return quotient

    samples = [np.asarray(first, float), np.asarray(second, float)]
    return _bootstrapped(samples, statistic, seed, paired=True)


def _bootstrapped(
    samples: Sequence[NDArray[Any]],
    statistic: Callable[..., NDArray[Any]],
    seed: int,
    *,
    paired: bool = False,
) -> Estimate:
    """A statistic of the samples, with the percentile interval of its bootstrap."""
    found = stats.bootstrap(
        samples,
        statistic,
        paired=paired,
        vectorized=True,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    return Estimate(float(statistic(*samples)), float(found.low), float(found.high))


def line(
    sizes: Sequence[int], series: Sequence[Sequence[float]], seed: int, lift: float = 0.0
) -> Line:
    """The line of least squares through the medians of each size's series, ``lift`` above it.

    ValueError where there are fewer than two sizes, or two values at one.
    """
    if len(sizes) < 2 or min(map(len, series)) < 2:
        raise ValueError("a line needs two sizes, and two values at each")
    weights = _slope_weights(sizes)

    def slope(*samples: NDArray[Any], axis: int = -1) -> NDArray[Any]:
        medians = np.stack([np.median(sample, axis=axis) for sample in samples])
        total: NDArray[Any] = np.tensordot(weights, medians, axes=1)
        return total

    values = [np.asarray(each, float) for each in series]
    estimate = _bootstrapped(values, slope, seed)
    medians = np.array([np.median(each) for each in values])
    intercept = float(medians.mean() - estimate.value * np.mean(sizes)) + lift
    smallest = int(np.argmin(sizes))
    much = NOTICEABLE * abs(medians[smallest] + lift) / (max(sizes) - min(sizes))
    linear = estimate.low > 0 and estimate.value > much
    return Line("linear" if linear else "constant", intercept, estimate, flat=estimate.high <= much)


def crossover(
    sizes: Sequence[int],
    first: Sequence[Sequence[float]],
    second: Sequence[Sequence[float]],
    seed: int,
) -> Estimate:
    """The size from which on the first mode's median stays below the second's, between measured
    sizes by a straight line; their values are pairs.

    0 stands for "already at the smallest", infinity for "not even at the largest".
    """
    order = np.argsort(sizes)
    ascending = np.asarray(sizes, float)[order]
    pairs = [(np.asarray(first[at], float), np.asarray(second[at], float)) for at in order]
    choose = np.random.default_rng(seed)
    below = np.stack([np.median(a) - np.median(b) for a, b in pairs])
    resampled = np.stack(
        [
            np.median(a[rows], axis=1) - np.median(b[rows], axis=1)
            for a, b in pairs
            for rows in [choose.integers(0, len(a), (RESAMPLES, len(a)))]
        ],
        axis=1,
    )
    found = np.sort([_crossing(ascending, row) for row in resampled])
    tail = (1 - CONFIDENCE) / 2
    # no interpolation: it would make nothing of infinity
    low, high = (found[round(share * (RESAMPLES - 1))] for share in (tail, 1 - tail))
    return Estimate(_crossing(ascending, below), float(low), float(high))


def _slope_weights(sizes: Sequence[int]) -> NDArray[np.float64]:
    """What the slope of least squares gives each of the medians."""
    centred = np.asarray(sizes, float) - np.mean(sizes)
    weights: NDArray[np.float64] = centred / (centred @ centred)
    return weights


def _crossing(sizes: NDArray[Any], difference: NDArray[Any]) -> float:
    """From which size on a difference stays negative."""
    (not_below,) = np.nonzero(difference >= 0)
    if not len(not_below):
        return 0.0
    last = int(not_below[-1])
    if last == len(sizes) - 1:
        return float("inf")
    above, under = difference[last], difference[last + 1]
    return float(sizes[last] + (sizes[last + 1] - sizes[last]) * above / (above - under))
