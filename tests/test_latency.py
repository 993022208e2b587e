"""fixtures.latency: intervals, their quantiles, and changes that are timed."""

import math
import time

import pytest

from fixtures.latency import (
    Change,
    Interval,
    LatencyError,
    measurement,
    pause,
    quantile,
    time_changes,
)


def test_quantile_is_of_lower_and_of_upper_ends() -> None:
    samples = [Interval(n / 10, n / 10 + 1) for n in range(20, 0, -1)]
    assert quantile(samples, 0.5) == (1.0, 2.0)
    assert quantile(samples, 0.95) == (1.9, 2.9)
    assert quantile(samples, 0.99) == (2.0, 3.0)
    assert quantile(samples[:1], 0.5) == samples[0]


def test_measurement_has_no_end_where_none_was_seen() -> None:
    record = measurement("sync latency", [Interval(0.1, 0.2), Interval(30.0, math.inf)], "a note")
    assert record["samples"] == [[0.1, 0.2], [30.0, None]]
    assert record["p50"] == [0.1, 0.2]
    assert record["p99"] == [30.0, None]
    assert record["note"] == "a note"


def test_changes_are_timed_from_their_own_acknowledgement() -> None:
    done: list[str] = []
    looks = {"first": 0, "second": 0}

    def seen_after(name: str, count: int) -> bool:
        looks[name] += name in done
        return looks[name] > count

    first, second = time_changes(
        Change(lambda: done.append("first"), [lambda: seen_after("first", 3)]),
        Change(lambda: done.append("second"), [lambda: seen_after("second", 9)]),
    )
    assert first.low < first.high
    assert 0 < second.low < second.high < 20


def test_a_change_in_force_too_early_cannot_be_timed() -> None:
    with pytest.raises(LatencyError):
        time_changes(Change(lambda: None, [lambda: True]))


def test_a_failing_write_is_raised() -> None:
    def refuse() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        time_changes(Change(refuse, [lambda: False]))


def test_probes_come_less_often_the_longer_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 110.0)
    assert pause(109.99, 0.001) == 0.001
    assert pause(100.0, 0.001) == pytest.approx(0.2)
