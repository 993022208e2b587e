"""bench.derive.growth: what figures say together, on data whose truth is known."""

import math

import msgspec
import numpy as np
import pytest

from bench.derive import conclusions as derive
from bench.derive import growth
from reports.records.figures import Figure
from tests.samples.bench import figure

SIZES = [1, 100, 1000, 5000, 10_000]
SEED = 7


def noisy(middle: float, choose: np.random.Generator, count: int = 20) -> list[float]:
    """Rounds as a machine gives them: skewed, a few of them far off."""
    values = middle * (1 + 0.05 * choose.standard_exponential(count))
    values[choose.random(count) < 0.05] *= 4
    return [float(value) for value in values]


def lines(intercept: float, slope: float, seed: int) -> list[list[float]]:
    choose = np.random.default_rng(seed)
    return [noisy(intercept + slope * size, choose) for size in SIZES]


def test_a_known_slope_is_recovered() -> None:
    found = growth.line(SIZES, lines(7.0, 0.009, SEED), SEED)
    assert found.law == "linear"
    assert found.slope.low < 0.009 * (1 + 0.05 * math.log(2)) < found.slope.high
    assert found.slope.high - found.slope.low < 0.002
    assert not found.flat


def test_what_is_constant_is_said_to_be() -> None:
    found = growth.line(SIZES, lines(12.0, 0.0, SEED), SEED)
    assert found.law == "constant"
    assert found.flat
    assert abs(found.slope.value) * 10_000 < 1.0


def test_sure_but_tiny_growth_is_constant() -> None:
    found = growth.line(SIZES, [[12 + size * 1e-4] * 5 for size in SIZES], SEED)
    assert found.slope.low > 0
    assert found.law == "constant"
    assert found.flat
    rounds = {size: [12 + size * 1e-4] * 5 for size in SIZES}
    made = [figure("first-packet", "nftables", size, rounds=rounds[size]) for size in SIZES]
    figures = [msgspec.convert(each, Figure) for each in made]
    (fit,) = derive.fits(figures, ["nftables"], SEED)
    assert "nftables does not grow noticeably (+0.1 us per 1,000 Services" in fit.sentence


def test_wild_values_are_neither_linear_nor_flat() -> None:
    choose = np.random.default_rng(SEED)
    found = growth.line(SIZES, [choose.exponential(50, 6).tolist() for _ in SIZES], SEED)
    assert found.law == "constant"
    assert not found.flat


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough to count how often an interval holds the truth, in a fraction of the time."""
    monkeypatch.setattr(growth, "RESAMPLES", 199)


@pytest.mark.usefixtures("few_resamples")
def test_the_interval_of_a_slope_holds_the_truth_as_often_as_it_says() -> None:
    truth = 0.009 * (1 + 0.05 * math.log(2))  # the median of what ``noisy`` makes of it
    found = [growth.line(SIZES, lines(7.0, 0.009, seed), seed).slope for seed in range(100)]
    covered = sum(slope.low <= truth <= slope.high for slope in found)
    assert covered >= 87  # fewer in 1 of 1,000 series of 100, were it 95 %


def test_ratio_of_pairs() -> None:
    choose = np.random.default_rng(SEED)
    machine = choose.lognormal(0, 0.5, 40)  # slow and fast moments, the same for both
    found = growth.ratio((3 * machine).tolist(), machine.tolist(), SEED)
    assert found.value == pytest.approx(3)
    assert found.low == pytest.approx(3)
    assert found.high == pytest.approx(3)


@pytest.mark.usefixtures("few_resamples")
def test_the_interval_of_a_ratio_holds_the_truth() -> None:
    covered = 0
    for seed in range(100):
        choose = np.random.default_rng(seed)
        first, second = noisy(30.0, choose, 30), noisy(10.0, choose, 30)
        found = growth.ratio(first, second, seed)
        covered += found.low <= 3 <= found.high
    assert covered >= 87


@pytest.mark.parametrize(("first", "second"), [([1.0], [1.0]), ([1.0, 2.0], [1.0])])
def test_no_ratio_without_pairs(first: list[float], second: list[float]) -> None:
    with pytest.raises(ValueError, match="make no pairs"):
        growth.ratio(first, second, SEED)


def test_no_line_through_one_size() -> None:
    with pytest.raises(ValueError, match="two sizes"):
        growth.line([1], [[1.0, 2.0]], SEED)


def test_crossover_is_found_where_the_lines_meet() -> None:
    flat, growing = lines(12.0, 0.0, 1), lines(6.0, 0.009, 2)  # they meet at 667
    found = growth.crossover(SIZES, flat, growing, SEED)
    assert found.low < 667 < found.high
    assert found.value == pytest.approx(667, rel=0.3)
    assert found.high < 1200


def test_crossover_at_none_and_at_all() -> None:
    slow, fast = lines(20.0, 0.01, 1), lines(5.0, 0.0, 2)
    assert growth.crossover(SIZES, fast, slow, SEED) == (0.0, 0.0, 0.0)
    assert growth.crossover(SIZES, slow, fast, SEED) == (math.inf, math.inf, math.inf)


def test_crossover_does_not_mind_the_order_of_sizes() -> None:
    flat, growing = lines(12.0, 0.0, 1), lines(6.0, 0.009, 2)
    there = growth.crossover(SIZES, flat, growing, SEED)
    back = growth.crossover(SIZES[::-1], flat[::-1], growing[::-1], SEED)
    assert back.value == there.value
