from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path


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
    assert results["unexpected"]["reason"] == "saw dropped; expected a probe: delivered"
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


def list_known(pretender: Path, *more: str) -> None:
    """List the requirement ``known`` as an expected failure, with ``more`` lines."""
    lines = "[[expected]]", 'requirement = "known"', 'reason = "broken"', 'reference = "x"', *more
    listed = pretender.parent / "pretender.expected-failures.toml"
    listed.write_text("".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize(
    ("holds", "outcome", "code"), [(False, "expected-failure", 0), (True, "unexpected-pass", 1)]
)
def test_expected_failures_are_strict(
    judged: Any, pretender: Path, *, holds: bool, outcome: str, code: int
) -> None:
    list_known(pretender, 'modes = ["first"]')
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
    ("seen", "many", "outcome", "code"),
    [
        ("pass", False, "passed", 0),
        ("raise FewOfManyError('all', 'all but one')", False, "expected-failure", 0),
        ("raise UnexpectedOutcomeError('all', 'all but two')", False, "failed", 1),
        ("pass", True, "passed", 0),
        ("raise UnexpectedOutcomeError('all', 'all but two')", True, "expected-failure", 0),
    ],
)
def test_what_fails_by_chance_may_pass_and_is_no_licence_for_more(
    judged: Any, pretender: Path, *, seen: str, many: bool, outcome: str, code: int
) -> None:
    bursts = ["in_bursts = true"] if many else []
    list_known(pretender, 'by_chance = "once in a hundred runs"', *bursts)
    result, records = judged(
        f"""
from fixtures.judge.expect import FewOfManyError, UnexpectedOutcomeError

@core("known")
def test_known(mode):
    '''This must hold, and seldom does not.'''
    {seen}
"""
    )
    assert outcomes(records)["known first"] == outcome
    assert result.ret == code


@pytest.mark.parametrize(
    ("raised", "outcome"),
    [("SettleError('unseen')", "expected-failure"), ("WireError('lost')", "error")],
)
def test_that_nothing_comes_into_force_may_be_known(
    judged: Any, pretender: Path, raised: str, outcome: str
) -> None:
    list_known(pretender, "unsettled = true")
    _, records = judged(
        f"""
from specification.errors import SettleError, WireError

@pytest.fixture
def settled():
    raise {raised}

@core("known")
def test_known(mode, settled):
    '''This must hold, and nothing comes into force.'''
"""
    )
    assert outcomes(records)["known first"] == outcome


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
    limits = f"providers = {providers}", 'cases = "there"', 'elsewhere = "there it is whole"'
    list_known(pretender, *limits)
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
    list_known(pretender)
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
