from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from clusters.build.toolchain import cache_folder
from fixtures.judge.judgement import Budget
from fixtures.plugin import options
from fixtures.record import recorder
from reports.model.run import read

if TYPE_CHECKING:
    from pathlib import Path

CACHE = cache_folder()

HEAD = """
import pytest
from fixtures.plugin.requirement import requirement
from specification.references import issue

def core(id):
    return requirement(id, issue(1))
"""


@pytest.fixture
def judged(pytester: pytest.Pytester, pretender: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run test code as a conformance run of the pretender: pytest's result and the records."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(CACHE.parent))  # pytester has moved HOME

    def run(
        code: str, *options: str, alone: bool = False
    ) -> tuple[pytest.RunResult, list[dict[str, Any]]]:
        pytester.makepyfile(HEAD + code)
        results = pytester.path / "results"
        words = [
            "-pfixtures.plugin",
            "-pno:cacheprovider",
            f"--implementation={pretender}",
            f"--results={results}",
        ]
        run = pytester.runpytest_subprocess if alone else pytester.runpytest_inprocess
        result = run(*words, *(options or ("--modes=first",)))
        files = sorted(results.glob("*Z-*/results.jsonl"))
        records = [json.loads(line) for line in files[-1].read_text().splitlines()] if files else []
        return result, records

    return run


def outcomes(records: list[dict[str, Any]]) -> dict[str, str]:
    return {
        f"{record['requirement']} {record['mode']}": record["outcome"]
        for record in records
        if record["type"] == "result"
    }


def test_outcomes_tell_a_failure_from_a_run_that_could_not_judge(judged: Any) -> None:
    result, records = judged(
        """
@core("passes")
def test_passes(mode):
    '''This must pass.'''

@core("fails")
def test_fails(mode):
    '''This must fail.'''
    assert mode == "neither"

@core("cannot-judge")
def test_cannot_judge(mode):
    '''This must be judged, and cannot be.'''
    raise OSError("the machine is at fault")

@core("no-setup")
def test_no_setup(mode, missing):
    '''This must be set up, and cannot be.'''

@core("skipped")
def test_skipped(mode):
    '''This must be skipped.'''
    pytest.skip("no reason")
"""
    )
    assert outcomes(records) == {
        "passes first": "passed",
        "fails first": "failed",
        "cannot-judge first": "error",
        "no-setup first": "error",
        "skipped first": "skipped",
    }
    assert result.ret == 2
    assert records[-1]["type"] == "end"
    statements = {r["id"]: r["statement"] for r in records if r["type"] == "requirement"}
    assert statements["passes"] == "This must pass."


def test_what_was_expected_and_seen_is_data(judged: Any) -> None:
    _, records = judged(
        """
from fixtures.judge.expect import UnexpectedOutcomeError

@core("plain")
def test_plain(mode):
    '''This must hold.'''

@core("unexpected")
def test_unexpected(mode):
    '''This must be delivered.'''
    raise UnexpectedOutcomeError("a probe: delivered", "dropped")
"""
    )
    results = {each["requirement"]: each for each in records if each["type"] == "result"}
    assert results["plain"]["comparisons"] == []
    assert results["unexpected"]["outcome"] == "failed"
    assert results["unexpected"]["comparisons"] == [
        {"expected": "a probe: delivered", "seen": "dropped"}
    ]


def test_a_failure_alone_is_exit_code_1(judged: Any) -> None:
    result, records = judged(
        """
@core("fails")
def test_fails(mode):
    '''This must fail.'''
    assert mode == "neither"
"""
    )
    assert result.ret == 1
    failed = next(record for record in records if record["type"] == "result")
    assert "neither" in failed["reason"]


def test_every_mode_is_judged_on_its_own(judged: Any) -> None:
    result, records = judged(
        """
@core("first-only")
def test_first_only(mode):
    '''This must hold in the first mode.'''
    assert mode == "first"
""",
        "--modes=first,second",
    )
    assert outcomes(records) == {"first-only first": "passed", "first-only second": "failed"}
    assert result.ret == 1


def test_what_is_not_claimed_is_not_run(judged: Any) -> None:
    _, records = judged(
        """
@requirement("extra", issue(1), feature="bursts")
def test_extra(mode):
    '''This must hold where it is claimed.'''
    assert mode == "second"

@core("plain")
def test_plain(mode):
    '''This must hold.'''
""",
        "--modes=first,second",
    )
    assert outcomes(records)["extra first"] == "unclaimed"
    assert outcomes(records)["extra second"] == "passed"


@pytest.mark.parametrize(
    ("holds", "outcome", "code"), [(False, "expected-failure", 0), (True, "unexpected-pass", 1)]
)
def test_expected_failures_are_strict(
    judged: Any, pretender: Path, *, holds: bool, outcome: str, code: int
) -> None:
    (pretender.parent / "pretender.expected-failures.toml").write_text(
        '[[expected]]\nrequirement = "known"\nmodes = ["first"]\nreason = "broken"\n'
        'reference = "https://example.org/1"\n'
    )
    result, records = judged(
        f"""
@core("known")
def test_known(mode):
    '''This must hold, and is known to be broken.'''
    assert {holds}

@core("plain")
def test_plain(mode):
    '''This must hold.'''
"""
    )
    assert outcomes(records)["known first"] == outcome
    assert result.ret == code


@pytest.mark.parametrize(
    ("providers", "holds", "outcome", "reason"),
    [
        ('["kind"]', True, "passed", "there it is whole"),
        ('["kind"]', False, "failed", "'there' == 'here'"),
        ('["embedded"]', True, "unexpected-pass", "listed as an expected failure: broken (x)"),
        ('["kind", "embedded"]', False, "expected-failure", "broken (x)"),
    ],
)
def test_what_is_known_to_fail_on_other_clusters_is_judged_here(
    judged: Any, pretender: Path, *, providers: str, holds: bool, outcome: str, reason: str
) -> None:
    (pretender.parent / "pretender.expected-failures.toml").write_text(
        f'[[expected]]\nrequirement = "known"\nproviders = {providers}\nreason = "broken"\n'
        'cases = "there"\nelsewhere = "there it is whole"\nreference = "x"\n'
    )
    _, records = judged(
        f"""
@core("known")
@pytest.mark.parametrize("place", ["here", "there"])
def test_known(mode, place):
    '''This must hold, and is known to be broken there.'''
    assert place == "here" or {holds}
"""
    )
    here, there = (record for record in records if record["type"] == "result")
    assert (here["outcome"], here["reason"]) == ("passed", "")
    assert there["outcome"] == outcome
    assert reason in there["reason"]


def test_an_expected_failure_does_not_excuse_a_run_that_cannot_judge(
    judged: Any, pretender: Path
) -> None:
    (pretender.parent / "pretender.expected-failures.toml").write_text(
        '[[expected]]\nrequirement = "known"\nreason = "broken"\nreference = "x"\n'
    )
    result, records = judged(
        """
@core("known")
def test_known(mode):
    '''This must hold, and is known to be broken.'''
    raise OSError("the machine is at fault")
"""
    )
    assert outcomes(records) == {"known first": "error"}
    assert result.ret == 2


UNFIT = {
    "": "no test is selected by ",
    """
@core("silent")
def test_silent(mode):
    pass
""": "the statement of silent is missing",
    """
@core("twice")
def test_one(mode):
    '''This must be one.'''

@core("twice")
def test_two(mode):
    '''This must be two.'''
""": "are both marked twice",
    """
@core("plain")
def test_plain(mode):
    '''This must hold.'''

def test_of_nothing(mode):
    '''This must hold, and nobody is told.'''
""": "::test_of_nothing tests no requirement: mark it with @requirement(",
}


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
@pytest.mark.parametrize(("code", "said"), UNFIT.items(), ids=range(len(UNFIT)))
def test_what_cannot_be_judged_is_refused_before_it_begins(
    judged: Any, code: str, said: str, workers: str
) -> None:
    result, records = judged(code, "--modes=first", workers, alone=True)
    assert result.ret == 2
    (line,) = result.errlines
    assert said in line
    assert line.startswith("error: ")
    assert not result.outlines
    assert not records


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
    measure(name="a time", unit="s", samples=[[0.1, 0.2]], p50=[0.1, 0.2], p95=[0.1, 0.2],
            p99=[0.1, 0.2], note="")
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


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_what_cannot_be_done_on_a_node_is_skipped_with_the_reason(
    judged: Any, workers: str
) -> None:
    result, records = judged(
        """
from specification.errors import UnsupportedError

@pytest.fixture
def wrapper():
    raise UnsupportedError("the image has no shell")

@core("in-its-preparation")
def test_in_its_preparation(mode, wrapper):
    '''This must be prepared.'''

@core("in-the-test")
def test_in_the_test(mode):
    '''This must hold.'''
    raise UnsupportedError("the image has no unshare")

@core("plain")
def test_plain(mode):
    '''This must hold too.'''
""",
        "--modes=first",
        workers,
    )
    assert outcomes(records) == {
        "in-its-preparation first": "skipped",
        "in-the-test first": "skipped",
        "plain first": "passed",
    }
    reasons = {r["requirement"]: r["reason"] for r in records if r["type"] == "result"}
    said = "unsupported on this kind of node: the image has no "
    assert reasons["in-its-preparation"] == f"{said}shell"
    assert reasons["in-the-test"] == f"{said}unshare"
    assert result.ret == 0


def test_what_is_set_up_but_not_run_is_no_pass(judged: Any) -> None:
    result, records = judged(
        """
@core("plain")
def test_plain(mode):
    '''This must hold.'''
""",
        "--modes=first",
        "--setup-only",
    )
    assert outcomes(records) == {"plain first": "error"}
    assert result.ret == 2


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
    kind: Any = SimpleNamespace(version="v1.35.2", image="kindest/node:v1.35.2", sha256="ab12")
    chosen = dataclasses.replace(options.read(config), kind=kind)
    found = recorder.header(config, chosen, "a-run", datetime.now(UTC))
    assert found["provider"] == "kind"
    words = "--modes nftables --seed 3 --provider kind --kubernetes-version 1.35.2"
    assert found["reproduce"] == f"./conform {words} -k 'slice or dnat'"


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
    assert outcomes(records)["plain first"] == "passed"
    run = read(next((pytester.path / "results").glob("*Z-*")))
    assert run.verdict("first") == "error"
