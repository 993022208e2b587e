"""For how long new connections failed, from volleys that were sent one after another."""

from __future__ import annotations

import math

import pytest

from migrate.volleys import _window


@pytest.mark.parametrize(
    ("failed", "low", "high"),
    [
        ([2], 0.0, 2.5),
        ([2, 3], 1.0, 3.5),
        ([1, 4], 3.0, 5.5),
        ([5], 0.0, math.inf),
        ([3, 5], 2.0, math.inf),
        ([0], 0.0, 1.5),
    ],
)
def test_a_window_lies_between_what_was_seen_to_fail_and_what_was_not(
    failed: list[int], low: float, high: float
) -> None:
    taken = [(float(second), second + 0.5, second in failed) for second in range(6)]
    assert _window(taken) == (low, high)


def test_where_nothing_fails_there_is_none() -> None:
    assert _window([(0.0, 0.5, False)]) is None
