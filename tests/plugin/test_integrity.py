"""What fails the test in which it is seen, whatever that looks at: what was done to packets, and
the end of the proxy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.plugin.test_plugin import list_known, outcomes

if TYPE_CHECKING:
    from pathlib import Path

CODE = """
from types import SimpleNamespace
from fixtures.lab.integrity import Integrity, Violation
from fixtures.record import evidence
from specification.errors import WireError
from specification.packets import DSCP, ECN

@pytest.fixture
def seen(mode, request, monkeypatch):
    monkeypatch.setattr(evidence, "keep", lambda *_: None)
    lab = SimpleNamespace(integrity=Integrity())
    node = SimpleNamespace(
        proxy=SimpleNamespace(mode=mode, ended=""), system=SimpleNamespace(check=lambda: None)
    )
    request.config.stash[evidence.WORLD] = SimpleNamespace(lab=lab, node=node)
    yield lambda rule: lab.integrity.violations.update(
        {rule: Violation(rule, "0 became 46", b"S", b"R")}
    )
    del request.config.stash[evidence.WORLD]

@core("content")
def test_content(seen):
    '''This must be left alone.'''
    seen(DSCP)

@core("clean")
def test_clean(seen):
    '''This must be left alone, and is.'''

@core("failing")
def test_failing(seen):
    '''This must be left alone, and hold besides.'''
    seen(DSCP)
    seen(ECN)
    assert 1 == 2

@core("known")
def test_known(seen):
    '''This must hold, and is known to be broken.'''
    seen(DSCP)
    assert 1 == 2

@core("lost")
def test_lost(seen):
    '''This must be judged, and cannot be.'''
    seen(DSCP)
    raise WireError("a frame was lost")
"""

EXPECTED = """
[[expected]]
requirement = "known"
reason = "broken"
reference = "https://example.org/1"
"""


@pytest.fixture
def expected(pretender: Path) -> Path:
    path = pretender.parent / "pretender.expected-failures.toml"
    path.write_text(EXPECTED)
    return path


def told(records: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    results = [record for record in records if record["type"] == "result"]
    return {each["requirement"]: (each["outcome"], each["reason"]) for each in results}


def test_a_violation_fails_the_test_that_has_seen_it(judged: Any, expected: Path) -> None:
    _, records = judged(CODE)
    found = told(records)
    dscp = "saw 0 became 46; expected pkt-dscp: the DSCP stays as it is"
    assert found["content"] == ("failed", dscp)
    assert found["clean"] == ("passed", "")
    outcome, reason = found["failing"]
    assert outcome == "failed"
    assert reason.startswith(f"{dscp}; saw 0 became 46; expected pkt-ecn:")
    assert found["known"] == ("failed", dscp), "no fault excuses another"
    assert found["lost"][0] == "error"
    details = {each["requirement"]: each["details"] for each in records if "details" in each}
    assert "sent:     53" in details["content"]
    assert "received: 52" in details["content"]
    assert "1 == 2" in details["failing"]


def test_what_is_known_of_a_proxy_fails_nothing_else(judged: Any, expected: Path) -> None:
    expected.write_text(EXPECTED + EXPECTED.replace('"known"', '"pkt-dscp"'))
    _, records = judged(CODE)
    outcomes = {name: outcome for name, (outcome, _) in told(records).items()}
    assert outcomes == {
        "content": "passed",
        "clean": "passed",
        "failing": "failed",
        "known": "expected-failure",
        "lost": "error",
    }


# --- the proxy ends -------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("phase", ["setup", "call"])
def test_a_proxy_that_ends_by_itself_fails_the_requirement(
    judged: Any, pretender: Path, phase: str, *, known: bool
) -> None:
    """It is no error of the run, whether a test is prepared or runs."""
    if known:
        list_known(pretender)
    _, records = judged(
        f"""
from specification.errors import EndedError

def end(when):
    if when == "{phase}":
        raise EndedError("the proxy has ended with exit code 2")

@pytest.fixture
def settled():
    end("setup")

@core("known")
def test_known(mode, settled):
    '''This must hold, and the proxy ends.'''
    end("call")
"""
    )
    assert outcomes(records)["known first"] == ("expected-failure" if known else "failed")


@pytest.mark.parametrize("body", ["pass", "raise SettleError('unseen')", "assert not 'wrong'"])
def test_no_test_passes_in_which_the_proxy_has_ended(judged: Any, body: str) -> None:
    """Whatever it has found itself; and the next one is not told of that end."""
    run, records = judged(
        f"""
from unittest.mock import MagicMock

from fixtures.plugin import judging
from fixtures.record import evidence
from specification.errors import SettleError

@pytest.fixture
def world(request, monkeypatch):
    made = MagicMock()
    made.lab.integrity.told.return_value = []
    made.node.proxy.ended = "has ended with exit code 2"
    monkeypatch.setattr(judging.evidence, "keep", lambda *_: "")
    request.config.stash[evidence.WORLD] = made
    yield made
    made.node.proxy.kill.assert_called_once()

@core("known")
def test_known(mode, world):
    '''This must hold, and the proxy ends.'''
    {body}
"""
    )
    run.assert_outcomes(failed=1)  # and no teardown: it is not told again
    (result,) = (record for record in records if record["type"] == "result")
    assert result["outcome"] == "failed"
    assert "has ended with exit code 2" in result["reason"] or "wrong" in result["reason"]
