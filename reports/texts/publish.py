"""The conformance report that an implementer publishes, as YAML: conformance.schema.json says what
it holds.

Its shape follows that of the Gateway API's conformance reports, which implementers know: an
implementation, and a profile (here a mode) with a result and counts for each level.
"""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from reports.model.wording import BAD, NOT_APPLICABLE
from reports.records.base import values
from reports.records.results import EXPECTED_FAILURE, LEVELS, PASSED, UNCLAIMED
from specification.errors import ResultFileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.model.run import Run
    from reports.records.results import Requirement

VERSION: Final = 1


def schema() -> dict[str, Any]:
    """The published schema of a conformance report."""
    text = files("reports.texts").joinpath("conformance.schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def render(run: Run, *, organization: str = "", url: str = "", contact: Sequence[str] = ()) -> str:
    """The report of a run as YAML; what is given here stands before what the run knows.

    Raises ResultFileError where the run has no verdict, or nobody stands behind the proxy.
    """
    for mode in run.modes:
        if run.faults(mode):
            raise ResultFileError(
                f"run {run.header.run} has no verdict in {mode} mode ({run.faults(mode)[0]}); "
                "nothing can be published"
            )
    said = run.header.implementation
    implementation: dict[str, Any] = {
        "project": said.name,
        "organization": organization or said.organization,
        "url": url or said.url,
        "version": said.version,
        "contact": list(contact) or list(said.contact),
    }
    if said.sha256:
        implementation["sha256"] = said.sha256
    report = {
        "kind": "ServiceProxyConformanceReport",
        "schema": VERSION,
        "date": run.header.started,
        "suite": {name: value for name, value in values(run.header.suite).items() if value},
        "implementation": implementation,
        "profiles": [_profile(run, mode) for mode in run.modes],
        "reproduce": run.header.reproduce,
    }
    _check(report)
    return yaml.safe_dump(report, sort_keys=False, allow_unicode=True, width=100)


def _check(report: dict[str, Any]) -> None:
    wrong = best_match(Draft202012Validator(schema()).iter_errors(report))
    if wrong is None:
        return
    where = wrong.json_path.removeprefix("$.")
    hint = {
        "implementation.organization": "--organization, or organization in its TOML file",
        "implementation.url": "--url, or url in its TOML file",
        "implementation.contact": "--contact, or contact in its TOML file",
        "implementation.version": "a binary that says its version",
    }.get(where, "reports/texts/conformance.schema.json")
    raise ResultFileError(f"{where} cannot be published: {wrong.message:.120}; see {hint}")


def _profile(run: Run, mode: str) -> dict[str, Any]:
    kernels = sorted({f.kernel for f in run.fingerprints if f.mode == mode and f.kernel})
    profile: dict[str, Any] = {"name": mode, "result": _RESULTS[run.verdict(mode)]}
    if kernels:
        profile["kernels"] = kernels
    for level in LEVELS:
        members = [each for each in run.requirements if each.level == level]
        found = _level(run, mode, members)
        if found:
            profile[level] = found
    known = _known(run, mode)
    if known:
        profile["expectedFailures"] = known
    return profile


_RESULTS: Final = {
    "pass": "success",
    "known-faults": "partial",
    "partial": "partial",
    "fail": "failure",
}


def _level(run: Run, mode: str, members: Sequence[Requirement]) -> dict[str, Any]:
    words = {each.id: run.cells[each.id][mode].word for each in members}
    counts = Counter(words.values())
    asked = len(members) - counts[UNCLAIMED] - counts[NOT_APPLICABLE]
    features = {each.feature for each in members if each.feature}
    unclaimed = {each.feature for each in members if each.feature and words[each.id] == UNCLAIMED}
    if not asked and not features:
        return {}
    failed = sum(counts[word] for word in BAD)
    # What a profile counts: what was asked of it. Features left out are named below, not counted.
    statistics = {
        "passed": counts[PASSED],
        "failed": failed,
        "expectedFailures": counts[EXPECTED_FAILURE],
        "skipped": asked - counts[PASSED] - failed - counts[EXPECTED_FAILURE],
    }
    short = statistics["skipped"] + statistics["expectedFailures"]
    result = "failure" if failed else "partial" if short else "success"
    level: dict[str, Any] = {"result": result if asked else "none", "statistics": statistics}
    if features:
        level["claimedFeatures"] = sorted(features - unclaimed)
        level["unclaimedFeatures"] = sorted(unclaimed)
    return level


def _known(run: Run, mode: str) -> list[dict[str, str]]:
    known = []
    for requirement in run.requirements:
        cell = run.cells[requirement.id][mode]
        reasons = [r.reason for r in cell.results if r.outcome == EXPECTED_FAILURE]
        if reasons:
            known.append({"requirement": requirement.id, "reason": reasons[0]})
    return known
