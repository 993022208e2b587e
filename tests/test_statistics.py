"""The statistics: do they keep their false-alarm rate, and do they see what they promise?"""

from __future__ import annotations

import itertools
import json
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import binom

from fixtures import statistics, tails

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

ALPHA = 5e-8
SAMPLES = 10_000


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20_260_101)


def assert_calibrated(ps: Iterable[float]) -> None:
    """Of p-values under a correct proxy, no more are below an alpha than alpha and noise allow."""
    p = np.array(list(ps))
    for alpha in (0.1, 0.01, 0.001):
        alarms = int(np.count_nonzero(p <= alpha))
        assert alarms <= binom.isf(1e-6, len(p), alpha), f"{alarms} of {len(p)} at {alpha}"


# Calibration: the false-alarm rate over simulated samples of a correct proxy.


@pytest.mark.parametrize(
    ("n", "sample"), [(2, 200), (3, 30), (5, 1000), (10, 300), (100, 2000), (1000, 20_000)]
)
def test_uniform_keeps_its_false_alarm_rate(rng: np.random.Generator, n: int, sample: int) -> None:
    counts = rng.multinomial(sample, [1 / n] * n, size=SAMPLES)
    assert_calibrated(tails.uniform_tail(row)[0] for row in counts)


def test_share_keeps_its_false_alarm_rate(rng: np.random.Generator) -> None:
    hits = rng.binomial(90, 0.3, size=SAMPLES)
    assert_calibrated(statistics.share(int(k), 90, 0.3, 0.01).p for k in hits)


@pytest.mark.parametrize(("n", "lag"), [(2, 1), (5, 1), (5, 3)])
def test_successive_keeps_its_false_alarm_rate(rng: np.random.Generator, n: int, lag: int) -> None:
    choices = rng.integers(n, size=(SAMPLES, 60)).tolist()
    assert_calibrated(statistics.successive(x, range(n), 0.01, lag=lag).p for x in choices)


@pytest.mark.parametrize(("n", "m"), [(3, 3), (2, 5)])
def test_independent_keeps_its_false_alarm_rate(rng: np.random.Generator, n: int, m: int) -> None:
    first = rng.integers(n, size=(SAMPLES, 60)).tolist()
    second = rng.integers(m, size=(SAMPLES, 60)).tolist()
    sets = range(n), range(m)
    assert_calibrated(
        statistics.independent(x, y, sets, 0.01).p for x, y in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("n", [2, 5, 40])
def test_all_hit_keeps_its_false_alarm_rate(rng: np.random.Generator, n: int) -> None:
    sample = tails.sample_to_hit_all(n, 0.01)
    counts = rng.multinomial(sample, [1 / n] * n, size=SAMPLES)
    assert_calibrated(statistics.all_hit(row, 0.01).p for row in counts)


@pytest.mark.parametrize("n", [2, 5, 40])
def test_spread_keeps_its_false_alarm_rate(rng: np.random.Generator, n: int) -> None:
    counts = rng.multinomial(12, [1 / n] * n, size=SAMPLES)
    assert_calibrated(statistics.spread(row, 0.01).p for row in counts)


# Far tails, where no simulation reaches: every possible sample, with its exact probability.


def every_sample(n: int, sample: int) -> Iterator[tuple[int, ...]]:
    for bars in itertools.combinations(range(sample + n - 1), n - 1):
        edges = (-1, *bars, sample + n - 1)
        yield tuple(high - low - 1 for low, high in itertools.pairwise(edges))


def log_probability(counts: tuple[int, ...]) -> float:
    sample = sum(counts)
    ways = math.lgamma(sample + 1) - sum(math.lgamma(count + 1) for count in counts)
    return ways - sample * math.log(len(counts))


@pytest.mark.parametrize(("n", "sample"), [(2, 300), (3, 60), (4, 22)])
def test_uniform_keeps_alphas_far_out(n: int, sample: int) -> None:
    counts = list(every_sample(n, sample))
    probability = np.exp([log_probability(row) for row in counts])
    assert probability.sum() == pytest.approx(1)
    p = np.array([tails.uniform_tail(np.array(row))[0] for row in counts])
    for alpha in (0.05, 1e-3, 1e-5, ALPHA, 1e-9):
        rate = float(probability[p <= alpha].sum())
        assert alpha / 100 < rate <= alpha


@pytest.mark.parametrize(("n", "sample"), [(2, 1), (2, 40), (3, 30), (4, 20), (8, 5), (12, 3)])
def test_moment_generating_function_is_that_of_every_sample(n: int, sample: int) -> None:
    counts = list(every_sample(n, sample))
    log_p = np.array([log_probability(row) for row in counts])
    half_g = np.array([sum(k * math.log(k * n / sample) for k in row if k) for row in counts])
    exponents, log_mgf = tails.log_mgf_of_g(sample, n)
    expected = [np.logaddexp.reduce(log_p + t * half_g) for t in exponents]
    assert log_mgf == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("n", "sample"), [(2, 10**6), (1000, 10**6), (10_000, 50), (5, 10**5)])
def test_moment_generating_function_of_large_samples_is_sane(n: int, sample: int) -> None:
    """Convex, increasing, and no more than a gamma distribution's (Agrawal, arXiv:1904.02291)."""
    exponents, log_mgf = tails.log_mgf_of_g(sample, n)
    assert np.all(np.diff(log_mgf) > 0)
    assert np.all(np.diff(np.diff(log_mgf) / np.diff(exponents)) > 0)
    assert np.all(log_mgf <= -(n - 1) * np.log1p(-exponents) + 1e-9)


def test_successive_keeps_its_alpha_over_every_sequence() -> None:
    ps = [statistics.successive(x, (0, 1), 0.05).p for x in itertools.product((0, 1), repeat=12)]
    for alpha in (0.2, 0.05, 0.005):
        assert sum(p <= alpha for p in ps) <= alpha * 2**12


def test_binomial_tails_agree_with_another_implementation(rng: np.random.Generator) -> None:
    for _ in range(500):
        sample, share = int(10 ** rng.uniform(0, 6)), float(10 ** rng.uniform(-4, -0.01))
        count = round(sample * share + 7 * rng.normal() * math.sqrt(sample * share))
        count = min(max(count, -1), sample + 1)
        below, above = binom.cdf(count, sample, share), binom.sf(count - 1, sample, share)
        assert tails.at_most(count, sample, share) == pytest.approx(below, rel=1e-7, abs=1e-290)
        assert tails.at_least(count, sample, share) == pytest.approx(above, rel=1e-7, abs=1e-290)


def test_distinct_tail_bounds_every_sample() -> None:
    counts = list(every_sample(4, 12))
    probability = np.exp([log_probability(row) for row in counts])
    distinct = np.array([sum(count > 0 for count in row) for row in counts])
    for d in range(1, 5):
        assert probability[distinct <= d].sum() <= tails.distinct_tail(d, 12, 4) * (1 + 1e-9)
    assert tails.distinct_tail(1, 12, 4) == pytest.approx(4.0**-11)


# Power: what is promised is seen.


def cascade(probabilities: Iterable[float]) -> list[float]:
    """What endpoints get from rules that are tried in turn, each with its probability."""
    left, shares = 1.0, []
    for probability in probabilities:
        shares.append(left * probability)
        left *= 1 - probability
    return shares


@pytest.mark.parametrize(("n", "skew"), [(2, 0.05), (5, 0.1), (10, 0.2), (100, 0.5), (50, 2.0)])
def test_promised_skew_is_seen(rng: np.random.Generator, n: int, skew: float) -> None:
    sample = statistics.sample_size(n, skew, ALPHA)
    for share in ((1 + skew) / n, max(0.0, 1 - skew) / n):
        rest = [(1 - share) / (n - 1)] * (n - 1)
        for counts in rng.multinomial(sample, [share, *rest], size=200):
            assert not statistics.uniform(counts, ALPHA).passed


@pytest.mark.parametrize(("n", "skew"), [(2, 0.05), (5, 0.1), (100, 0.5)])
def test_sample_size_and_smallest_skew_are_inverse(n: int, skew: float) -> None:
    sample = statistics.sample_size(n, skew, ALPHA)
    assert statistics.smallest_skew(sample, n, ALPHA) == pytest.approx(skew, rel=0.01)
    less = statistics.smallest_skew(int(sample * 0.9), n, ALPHA)
    assert less is not None
    assert less > skew


def test_larger_samples_are_needed_for_less_skew_alpha_and_more_power() -> None:
    sample = statistics.sample_size(5, 0.2, ALPHA)
    assert statistics.sample_size(5, 0.1, ALPHA) > 3 * sample
    assert statistics.sample_size(5, 0.2, ALPHA / 100) > sample
    assert statistics.sample_size(5, 0.2, ALPHA, power=0.9) < sample


@pytest.mark.parametrize(
    "shares",
    [
        pytest.param(cascade([1 / 5] * 4 + [1]), id="1/n in every rule"),
        pytest.param(cascade([1, 1 / 4, 1 / 3, 1 / 2, 1]), id="first rule without condition"),
        pytest.param(cascade([1 / 5, 1 / 4, 1 / 3, 1 / 2 + 0.05, 1]), id="a skewed probability"),
        pytest.param(cascade([0, 1 / 4, 1 / 3, 1 / 2, 1]), id="an endpoint never chosen"),
    ],
)
def test_altered_rules_are_seen(rng: np.random.Generator, shares: list[float]) -> None:
    sample = statistics.sample_size_against(shares, ALPHA)
    for counts in rng.multinomial(sample, shares, size=200):
        assert not statistics.uniform(counts, ALPHA).passed


def test_what_is_spread_over_many_endpoints_is_seen_by_g(rng: np.random.Generator) -> None:
    shares = [1.4 / 100, 0.6 / 100] * 50
    for counts in rng.multinomial(2000, shares, size=200):
        judged = statistics.uniform(counts, ALPHA)
        assert not judged.passed
        assert judged.test.startswith("G")


def turns(rng: np.random.Generator, n: int, sample: int) -> NDArray[np.int64]:
    return np.arange(sample) % n


def a_cycle_in_another_order(rng: np.random.Generator, n: int, sample: int) -> NDArray[np.int64]:
    return np.resize(rng.permutation(n), sample)


def sticking(rng: np.random.Generator, n: int, sample: int) -> NDArray[np.int64]:
    """One choice in four repeats the one before."""
    moves = rng.integers(n, size=sample)
    last = np.maximum.accumulate(np.where(rng.random(sample) < 0.25, 0, np.arange(sample)))
    repeated: NDArray[np.int64] = moves[last]
    return repeated


@pytest.mark.parametrize("n", [2, 5, 10])
@pytest.mark.parametrize("chooser", [turns, a_cycle_in_another_order, sticking])
def test_dependence_of_successive_choices_is_seen(
    rng: np.random.Generator,
    n: int,
    chooser: Callable[[np.random.Generator, int, int], NDArray[np.int64]],
) -> None:
    for _ in range(50):
        choices = chooser(rng, n, 2000).tolist()
        assert not statistics.successive(choices, range(n), ALPHA).passed


def test_a_cycle_is_seen_at_its_lag(rng: np.random.Generator) -> None:
    choices = [x for x in rng.integers(5, size=1000).tolist() for _ in range(2)]
    choices = [*choices[::2], *choices[1::2]]  # the second half repeats the first
    assert statistics.successive(choices, range(5), ALPHA).passed
    assert not statistics.successive(choices, range(5), ALPHA, lag=1000).passed


def test_dependence_of_two_series_is_seen(rng: np.random.Generator) -> None:
    first = rng.integers(6, size=600).tolist()
    other = rng.integers(6, size=600).tolist()
    half = [x % 3 for x in first]
    six, three = range(6), range(3)
    assert statistics.independent(first, other, (six, six), ALPHA).passed
    assert not statistics.independent(first, first, (six, six), ALPHA).passed
    assert not statistics.independent(first, [5 - x for x in first], (six, six), ALPHA).passed
    assert not statistics.independent(first, half, (six, three), ALPHA).passed


def test_many_endpoints_are_paired_by_steps_alone(rng: np.random.Generator) -> None:
    choices = rng.integers(300, size=20_000).tolist()
    assert statistics.successive(choices, range(300), ALPHA).passed
    judged = statistics.independent(choices, choices, (range(300), range(300)), ALPHA)
    assert not judged.passed
    assert len(judged.counts) == 300


def test_a_missing_endpoint_is_seen() -> None:
    sample = statistics.sample_to_hit_all(10, ALPHA)
    assert sample == 182
    judged = statistics.all_hit([sample - 8, *[1] * 8, 0], ALPHA)
    assert not judged.passed
    assert statistics.all_hit([sample - 9, *[1] * 9], ALPHA).passed


def test_keys_that_all_share_an_endpoint_are_seen() -> None:
    assert not statistics.spread({"a": 30, "b": 0}, ALPHA).passed
    assert statistics.spread({"a": 29, "b": 1}, ALPHA).passed
    assert not statistics.spread([600, 400, 0, 0, 0], ALPHA).passed


def test_share_is_two_sided() -> None:
    assert statistics.share(333, 1000, 1 / 3, ALPHA).passed
    assert not statistics.share(230, 1000, 1 / 3, ALPHA).passed
    assert not statistics.share(430, 1000, 1 / 3, ALPHA).passed


# Round robin and hash are not a matter of chance.


def test_turns_are_recognised() -> None:
    judged = statistics.round_robin(list("abc") * 20, "abc")
    assert judged.passed
    assert judged.alpha == 0
    assert judged.counts == (20, 20, 20)


@pytest.mark.parametrize("spoilt", ["aabbcc", "abcabb"])
def test_broken_turns_are_recognised(spoilt: str) -> None:
    assert not statistics.round_robin("abc" * 10 + spoilt, "abc").passed


def test_a_random_chooser_does_not_pass_for_turns_or_hash(rng: np.random.Generator) -> None:
    turns = sum(
        statistics.round_robin(x, range(2)).passed
        for x in rng.integers(2, size=(SAMPLES, 28)).tolist()
    )
    hashes = sum(
        statistics.consistent([(0, endpoint) for endpoint in x], 2).passed
        for x in rng.integers(2, size=(SAMPLES, 15)).tolist()
    )
    assert turns <= 8
    assert hashes <= 8


def test_keys_keep_their_endpoint() -> None:
    steady = [(key, key % 3) for key in range(10) for _ in range(5)]
    assert statistics.consistent(steady, 3).passed
    judged = statistics.consistent([*steady, (4, 2)], 3)
    assert not judged.passed
    assert judged.counts == (9, 1)


# The budget.


def test_budget_is_never_exceeded_over_all_workers() -> None:
    budgets = [statistics.Budget(1e-4, max_tests=10, workers=3) for _ in range(3)]
    for budget in budgets:
        for _ in range(budget.limit):
            assert budget.spend() == pytest.approx(1e-5)
        with pytest.raises(statistics.BudgetExceededError, match="all 3 statistical tests"):
            budget.spend()
    assert sum(budget.bound for budget in budgets) == pytest.approx(9e-5)


def test_budget_of_a_run() -> None:
    budget = statistics.Budget()
    assert budget.bound == 0
    assert budget.spend() == pytest.approx(ALPHA)
    assert "1 of 2000" in repr(budget)


@pytest.mark.parametrize(
    ("total", "tests", "workers"), [(0, 5, 1), (1, 5, 1), (0.1, 5, 6), (0.1, 5, 0)]
)
def test_bad_budgets(total: float, tests: int, workers: int) -> None:
    with pytest.raises(ValueError, match=r"total is|cannot be shared"):
        statistics.Budget(total, tests, workers)


# What the reader sees.


def test_record_is_plain_json() -> None:
    counts = {"10.1.0.1": 500, "10.1.0.2": 520}
    record = statistics.uniform(counts, ALPHA).as_record()
    assert json.loads(json.dumps(record)) == record
    assert record["counts"] == [500, 520]
    assert record["expected"] == [510, 510]
    assert list(record) == [
        "name", "discipline", "test", "counts", "expected", "statistic", "p", "alpha",
        "smallest_skew", "sample",
    ]  # fmt: skip


def test_explanation_has_all_there_is_to_know() -> None:
    text = repr(statistics.uniform([1200, 800, 800, 800, 400], ALPHA))
    for part in ("uniform over 5", "FAILED", "1200, 800", "800 each", "4000 in all", "5e-08", "%"):
        assert part in text


def test_explanation_of_many_endpoints_is_short(rng: np.random.Generator) -> None:
    judged = statistics.uniform(rng.multinomial(9000, [0.001] * 1000), ALPHA)
    assert len(judged.explain()) < 500
    assert judged.smallest_skew is None
    assert "none is the smallest" not in judged.explain()


def test_one_endpoint_is_no_choice() -> None:
    judged = statistics.uniform([200], ALPHA)
    assert judged.passed
    assert judged.smallest_skew is None
    assert statistics.all_hit([1], ALPHA).passed
    assert statistics.round_robin("a", "a").passed


def test_tally_counts_the_endpoints_never_chosen() -> None:
    assert statistics.tally("abca", "abcd") == {"a": 2, "b": 1, "c": 1, "d": 0}


# Bad input.


@pytest.mark.parametrize("counts", [[], [0, 0], [1, -1], [1.5, 2]])
def test_bad_counts(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="counts are whole"):
        statistics.uniform(counts, ALPHA)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -1.0, math.nan])
def test_bad_alpha(alpha: float) -> None:
    for judge in (statistics.uniform, statistics.all_hit, statistics.spread):
        with pytest.raises(ValueError, match="alpha is"):
            judge([500, 500], alpha)
    with pytest.raises(ValueError, match="alpha is"):
        statistics.sample_size(5, 0.1, alpha)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: statistics.all_hit([9, 9], ALPHA), "may miss one of 2 by chance: take 26"),
        (
            lambda: statistics.spread([9, 0], ALPHA),
            "may share one of 2 endpoints by chance: take 26",
        ),
        (lambda: statistics.round_robin("abab", "ab"), "may take turns by chance: take 28"),
        (lambda: statistics.consistent([(1, 1), (1, 1)], 2), "may agree by chance: take 14"),
    ],
)
def test_samples_too_small_to_judge_are_refused(
    call: Callable[[], statistics.Statistic], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: statistics.tally("abx", "ab"), "no endpoint: {'x'}"),
        (lambda: statistics.tally("ab", "aab"), "named twice"),
        (lambda: statistics.tally("", "ab"), "no choice"),
        (lambda: statistics.successive("ab", "ab", ALPHA, lag=2), "no pairs 2 apart"),
        (lambda: statistics.successive("ab", "ab", ALPHA, lag=0), "no pairs 0 apart"),
        (lambda: statistics.successive("aa", "a", ALPHA), "1 endpoints, where at least 2"),
        (lambda: statistics.independent("ab", "a", ("ab", "ab"), ALPHA), "cannot be paired"),
        (
            lambda: statistics.independent([1], [1], (range(200), range(201)), ALPHA),
            "combinations are too many",
        ),
        (lambda: statistics.share(3, 2, 0.5, ALPHA), "3 hits in a sample of 2"),
        (lambda: statistics.share(1, 2, 1.0, ALPHA), "probability is"),
        (lambda: statistics.smallest_skew(0, 5, ALPHA), "shows nothing"),
        (lambda: statistics.smallest_skew(9, 0, ALPHA), "0 endpoints"),
        (lambda: statistics.sample_size(1, 0.5, ALPHA), "1 endpoints"),
        (lambda: statistics.sample_size(5, 0, ALPHA), "skew is 0"),
        (lambda: statistics.sample_size(5, 4.5, ALPHA), "skew is 4.5"),
        (lambda: statistics.sample_size(5, 1e-9, ALPHA), "no sample of"),
        (lambda: statistics.sample_size(5, 0.5, ALPHA, power=1), "power is 1"),
        (lambda: statistics.sample_size_against([0.5, 0.4], ALPHA), "sum up to"),
        (lambda: statistics.sample_size_against([0.5, 0.5], ALPHA), "equal shares"),
    ],
)
def test_bad_input(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
