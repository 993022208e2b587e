"""JUnit XML, for the machines that read nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from reports.model import fingerprints, wording
from reports.model.reproduce import reproduce
from reports.model.wording import BAD
from reports.records.results import (
    ERROR,
    EXPECTED_FAILURE,
    FAILED,
    SKIPPED,
    UNCLAIMED,
    UNEXPECTED_PASS,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.model.comparison import Comparison
    from reports.model.run import Run
    from reports.records.results import Result

# Outcome -> element of the test case, beginning of its message.
_ELEMENTS = {
    FAILED: ("failure", ""),
    UNEXPECTED_PASS: ("failure", "passed although it is listed as an expected failure: "),
    ERROR: ("error", ""),
    SKIPPED: ("skipped", ""),
    EXPECTED_FAILURE: ("skipped", "expected failure: "),
    UNCLAIMED: ("skipped", "not claimed: "),
}
# XML 1.0 has no way to write these characters, escaped or not.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _clean(value: str) -> str:
    return _UNWRITABLE.sub(lambda match: f"\\x{ord(match.group()):02x}", value)


def _output(run: Run, result: Result) -> str:
    """What a test case says beside its outcome: statistics, measurements, evidence, repetition."""
    lines = [
        f"{s.name}: {s.test}, counts {[wording.number(c) for c in s.counts]}, "
        f"p = {wording.probability(s.p)} (fails below {wording.probability(s.alpha)})"
        for s in result.statistics
    ]
    for m in result.measurements:
        bounds = (("p50", m.p50), ("p95", m.p95), ("p99", m.p99))
        told = ", ".join(f"{name} {wording.interval(value, m.unit)}" for name, value in bounds)
        lines.append(f"{m.name}: {wording.several(len(m.samples), 'sample')}, {told}")
    if result.evidence:
        lines.append(f"evidence: {result.evidence}")
    if result.outcome in BAD:
        lines.append(f"repeat it: {reproduce(run, result)}")
    return "\n".join(lines)


def _case(suite: ET.Element, run: Run, result: Result, areas: dict[str, str]) -> None:
    name = f"{result.requirement}[{result.case}]" if result.case else result.requirement
    case = ET.SubElement(
        suite,
        "testcase",
        classname=_clean(f"{result.mode}.{areas[result.requirement]}"),
        name=_clean(name),
        time=f"{result.setup_seconds + result.seconds:.3f}",
    )
    if result.outcome in _ELEMENTS:
        tag, about = _ELEMENTS[result.outcome]
        message = about + (result.reason or "no reason given")
        element = ET.SubElement(case, tag, message=_clean(message), type=result.outcome)
        element.text = _clean(result.details) or None
    output = _output(run, result)
    if output:
        ET.SubElement(case, "system-out").text = _clean(output)


def render(run: Run) -> str:
    """JUnit XML of a run: a test suite per mode, a test case per case of a requirement.

    Whatever keeps a mode from being judged appears as a test case with an error, so that the file
    never looks better than the verdict.
    """
    return _document(run.header.suite.name, [(mode, run, mode) for mode in run.modes])


def compared(comparison: Comparison) -> str:
    """JUnit XML of a comparison: a test suite per column, each as `render` makes it."""
    name = comparison.columns[0].run.header.suite.name
    columns = [(c.label, c.run, c.mode) for c in comparison.columns]
    return _document(name, columns)


def _document(name: str, members: Sequence[tuple[str, Run, str]]) -> str:
    root = ET.Element("testsuites", name=_clean(name))
    for label, run, mode in members:
        _suite(root, label, run, mode)
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    seconds = {run.header.run: run.end.seconds for _, run, _ in members}
    root.set("time", f"{sum(seconds.values()):.3f}")
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, label: str, run: Run, mode: str) -> None:
    areas = {requirement.id: requirement.area for requirement in run.requirements}
    suite = ET.SubElement(root, "testsuite", name=_clean(label))
    properties = ET.SubElement(suite, "properties")
    named = {
        "verdict": run.verdict(mode),
        "run": run.header.run,
        "seed": str(run.header.seed),
        "reproduce": run.header.reproduce,
        **{f"fingerprint.{row.name}": row.values[mode] for row in fingerprints.rows(run)},
    }
    for name, value in named.items():
        ET.SubElement(properties, "property", name=_clean(name), value=_clean(value))
    for result in run.results:
        if result.mode == mode:
            _case(suite, run, result, areas)
    for fault in run.faults(mode):
        case = ET.SubElement(suite, "testcase", classname=_clean(f"{mode}.run"), name="verdict")
        ET.SubElement(case, "error", message=_clean(fault), type="error")
    counts = {tag: len(suite.findall(f"testcase/{tag}")) for tag in ("failure", "error", "skipped")}
    times = [float(case.get("time", "0")) for case in suite.iter("testcase")]
    suite.attrib |= {
        "tests": str(len(times)),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "skipped": str(counts["skipped"]),
        "time": f"{sum(times):.3f}",
        "timestamp": _clean(run.header.started),
    }
