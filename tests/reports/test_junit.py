"""JUnit XML: what a CI system reads of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from reports.model.run import read
from reports.texts import junit
from tests.samples import run as sample

if TYPE_CHECKING:
    from pathlib import Path


def parsed(folder: Path) -> ET.Element:
    return ET.fromstring(junit.render(read(folder)))  # noqa: S314  our own output


def test_a_suite_per_mode_and_a_case_per_result(tmp_path: Path) -> None:
    sample.generate(tmp_path)
    run = read(tmp_path)
    root = parsed(tmp_path)
    assert [suite.get("name") for suite in root] == ["iptables", "nftables"]
    assert root.get("tests") == str(len(run.results))
    for suite in root:
        results = [result for result in run.results if result.mode == suite.get("name")]
        bad = sum(result.outcome in {"failed", "unexpected-pass"} for result in results)
        set_aside = {"expected-failure", "unclaimed", "skipped"}
        assert suite.get("failures") == str(bad)
        assert suite.get("errors") == "0"
        assert suite.get("skipped") == str(sum(r.outcome in set_aside for r in results))


def test_a_failure_says_what_why_and_how_to_repeat_it(tmp_path: Path) -> None:
    sample.generate(tmp_path)
    (case,) = parsed(tmp_path).findall(
        "testsuite[@name='iptables']/testcase[@name='lb-uniform[ipv4-TCP-pod]']"
    )
    assert case.get("classname") == "iptables.distribution"
    failure = case.find("failure")
    assert failure is not None
    assert (failure.get("message") or "").startswith("the endpoints are not chosen uniformly")
    assert "AssertionError" in (failure.text or "")
    output = case.findtext("system-out") or ""
    assert "evidence: evidence/lb-uniform-iptables-ipv4-TCP-pod" in output
    assert "--modes iptables --seed 1234567" in output
    assert "p = 3.1e-108 (fails below 1e-7)" in output


def test_reasons_of_what_is_set_aside(tmp_path: Path) -> None:
    sample.write(
        tmp_path,
        sample.requirement(),
        sample.result(case="a", outcome="expected-failure", reason="known"),
        sample.result(case="b", outcome="unclaimed", reason="feature sctp"),
        sample.result(case="c", outcome="skipped"),
        sample.result(case="d", outcome="unexpected-pass", reason="known"),
        sample.result(mode="nftables"),
    )
    messages = [e.get("message") for e in parsed(tmp_path).findall("testsuite/testcase/*")]
    assert messages[:3] == [
        "expected failure: known",
        "not claimed: feature sctp",
        "no reason given",
    ]
    assert messages[3] == "passed although it is listed as an expected failure: known"


def test_the_fingerprint_is_in_the_properties(tmp_path: Path) -> None:
    sample.generate(tmp_path)
    properties = {
        p.get("name"): p.get("value")
        for p in parsed(tmp_path).findall("testsuite[@name='nftables']/properties/property")
    }
    assert properties["verdict"] == "fail"
    assert properties["fingerprint.mode observed"] == "nftables"
    assert properties["fingerprint.nft"] == "v1.0.6"
    assert properties["seed"] == "1234567"


def test_a_run_that_cannot_judge_has_errors(tmp_path: Path) -> None:
    sample.write(tmp_path, sample.requirement(), sample.result(), exit=2, interrupted=True)
    root = parsed(tmp_path)
    assert root.get("errors") == "3"
    messages = [e.get("message") for e in root.findall("testsuite[@name='nftables']//error")]
    assert messages == ["the run was interrupted", "nothing was tested"]


def test_characters_that_xml_cannot_hold_are_spelled_out(tmp_path: Path) -> None:
    sample.write(
        tmp_path,
        sample.requirement(),
        sample.result(outcome="failed", reason="nul \x00 and \ud800 <&>", details="bell \x07"),
    )
    failure = parsed(tmp_path).find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.get("message") == r"nul \x00 and \xd800 <&>"
    assert failure.text == r"bell \x07"
