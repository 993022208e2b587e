"""What a run says of itself: to one file, repeatable, within its promise."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from clusters.program import Judged
from fixtures.judge.judgement import Budget
from fixtures.plugin import options
from fixtures.record import recorder
from reports.model.run import read

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_a_file_that_cannot_be_read_is_an_error_of_the_run(judged: Any, workers: str) -> None:
    result, records = judged("import nothing_like_this", "--modes=first", workers)
    assert result.ret == 2
    (error,) = (record for record in records if record["type"] == "error")
    assert error["message"].endswith(".py cannot be collected")
    assert "nothing_like_this" in error["details"]


def test_workers_report_to_one_file(judged: Any) -> None:
    result, records = judged(
        """
@core("many")
@pytest.mark.parametrize("number", range(20))
def test_many(mode, number, judge, measure):
    '''This must hold many times.'''
    from fixtures.judge.statistics import uniform
    judge(uniform, [500, 500])
    from fixtures.world.latency import measurement
    from reports.records.base import Interval
    measure(measurement("a time", [Interval(0.1, 0.2)]))
""",
        "--modes=first,second",
        "-n2",
    )
    assert result.ret == 0
    found = [record for record in records if record["type"] == "result"]
    assert len(found) == 40
    assert {record["worker"] for record in found} == {"gw0", "gw1"}
    assert records[-1]["statistical_tests"] == 40
    assert all(record["measurements"][0]["p50"] == [0.1, 0.2] for record in found)
    result.stdout.fnmatch_lines(["first*PASS*", "second*PASS*", "Report: *report.html"])


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_each_judgement_is_held_to_the_same_and_all_of_them_to_the_promise(
    judged: Any, workers: str
) -> None:
    """Though one worker makes nearly all of them."""
    result, records = judged(
        """
@core("unequal")
@pytest.mark.parametrize("judgements", [1, 1500])
def test_unequal(mode, judgements, judge):
    '''This must hold.'''
    from fixtures.judge.statistics import uniform
    for _ in range(judgements):
        judge(uniform, [500, 500])
""",
        "--modes=first",
        workers,
    )
    assert result.ret == 0
    alphas = [s["alpha"] for r in records if r["type"] == "result" for s in r["statistics"]]
    assert set(alphas) == {Budget().alpha}
    assert records[-1]["false_alarm_bound"] == pytest.approx(1501 * Budget().alpha)
    assert records[-1]["statistical_tests"] == 1501


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_more_judgements_than_the_promise_allows_are_no_verdict(judged: Any, workers: str) -> None:
    result, records = judged(
        """
from fixtures.judge.judgement import Budget

@pytest.fixture(scope="session")
def budget():
    return Budget(most=2)

@core("thrice")
@pytest.mark.parametrize("number", range(3))
def test_thrice(mode, number, judge):
    '''This must hold.'''
    from fixtures.judge.statistics import uniform
    judge(uniform, [500, 500])
""",
        "--modes=first",
        workers,
    )
    assert result.ret == 2
    (error,) = (record for record in records if record["type"] == "error")
    assert error["message"].startswith("3 statistical tests give a false alarm with a probability")
    assert records[-1]["false_alarm_bound"] == pytest.approx(1.5e-4)


def test_workers_have_the_seed_that_was_drawn(
    tmp_path: Path, run_suite: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """In tests of the suite itself, too, where nobody gives one."""
    test = tmp_path / "test_seed.py"
    test.write_text(
        "def test_seed(pytestconfig):\n    assert pytestconfig.option.seed is not None\n"
    )
    done = run_suite("-c", "pyproject.toml", "-n2", str(test))
    assert done.returncode == 0, done.stdout


def test_seed_is_recorded_and_repeated(judged: Any) -> None:
    _, records = judged(
        """
@core("plain")
def test_plain(mode):
    '''This must hold.'''
""",
        "--modes=first",
        "--seed=42",
    )
    assert records[0]["seed"] == 42
    assert "--seed 42" in records[0]["reproduce"]


def test_a_run_on_kind_is_recorded_as_such_and_repeated_there(pytester: pytest.Pytester) -> None:
    asked = ["--modes=nftables", "--seed=3", "--provider=kind", "--kubernetes-version=1.35.2"]
    config = pytester.parseconfig("-pfixtures.plugin", *asked, "-kslice or dnat")
    kind: Any = SimpleNamespace(judged=Judged("kindest/node:v1.35.2", "v1.35.2", "ab12"))
    chosen = dataclasses.replace(options.read(config), kind=kind)
    found = recorder.header(config, chosen, "a-run", datetime.now(UTC))
    assert (found.provider, found.implementation.version) == ("kind", "v1.35.2")
    words = "--modes nftables --seed 3 --provider kind --kubernetes-version 1.35.2"
    assert found.reproduce == f"./conform {words} -k 'slice or dnat'"


def test_a_run_that_is_cut_off_is_partial_and_an_error(judged: Any, pytester: Any) -> None:
    result, records = judged(
        """
@core("plain")
def test_plain(mode):
    '''This must hold.'''

@core("stopped")
def test_stopped(mode):
    '''This must be stopped.'''
    raise KeyboardInterrupt
""",
        alone=True,
    )
    assert result.ret == 2
    assert records[-1]["interrupted"]
    (passed,) = (record for record in records if record["type"] == "result")
    assert (passed["requirement"], passed["outcome"]) == ("plain", "passed")
    run = read(next((pytester.path / "results").glob("*Z-*")))
    assert run.verdict("first") == "error"


def test_a_second_interrupt_makes_no_whole_run_of_a_part(judged: Any, pytester: Any) -> None:
    """It comes before anybody has been told of the first: a terminal's Ctrl-C reaches a process
    twice, by itself and passed on.
    """
    _, records = judged(
        """
class Again:
    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self):
        raise KeyboardInterrupt

@core("plain")
def test_plain(mode):
    '''This must hold.'''

@core("stopped")
def test_stopped(mode, request):
    '''This must be stopped.'''
    request.config.pluginmanager.register(Again())
    raise KeyboardInterrupt
""",
        alone=True,
    )
    assert records[-1]["interrupted"]
    run = read(next((pytester.path / "results").glob("*Z-*")))
    assert run.verdict("first") == "error"


def test_a_run_that_stops_at_a_failure_was_not_interrupted(judged: Any) -> None:
    _, records = judged(
        """
@core("plain")
def test_plain(mode):
    '''This must hold.'''
    assert False
""",
        "--modes=first",
        "-x",
        alone=True,
    )
    assert (records[-1]["exit"], records[-1]["interrupted"]) == (1, False)
