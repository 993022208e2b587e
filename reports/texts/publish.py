"""The conformance report that an implementer publishes, as YAML: conformance.schema.json says what
it holds.

Its shape follows that of the Gateway API's conformance reports, which implementers know: an
implementation, and a profile (here a mode) with a result and counts for each level.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
import yaml
from msgspec import UNSET, UnsetType

from reports.model.wording import BAD, NOT_APPLICABLE
from reports.records.base import Count, Part, Text, one_of, values
from reports.records.results import EXPECTED_FAILURE, LEVELS, PASSED, UNCLAIMED
from specification.errors import ResultFileError, misfit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.model.run import Run
    from reports.records.results import Requirement

VERSION: Final = 1

_RESULTS: Final = {
    "pass": "success",
    "known-faults": "partial",
    "partial": "partial",
    "fail": "failure",
}
_Features = Annotated[tuple[Text, ...], msgspec.Meta(extra_json_schema={"uniqueItems": True})]


class Suite(Part, frozen=True, kw_only=True):
    """The suite that judged."""

    name: Text
    version: Text
    commit: Text | UnsetType = UNSET


class Implementation(Part, frozen=True, kw_only=True):
    """The Service proxy, and who stands behind it."""

    project: Text
    organization: Text
    url: Annotated[str, msgspec.Meta(pattern="^https?://")]
    version: Text
    contact: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")] | UnsetType = UNSET


class Statistics(Part, frozen=True, kw_only=True, rename="camel"):
    """Requirements asked of this mode: those of unclaimed features are named, not counted."""

    passed: Count
    failed: Count
    expected_failures: Count
    skipped: Count


class Level(Part, frozen=True, kw_only=True, rename="camel"):
    """core binds every proxy, extended those that claim the feature, mode is about the inside of
    one mode.
    """

    result: Annotated[str, one_of(["success", "partial", "failure", "none"])]
    statistics: Statistics
    claimed_features: _Features | UnsetType = UNSET
    unclaimed_features: _Features | UnsetType = UNSET


class ExpectedFailure(Part, frozen=True, kw_only=True):
    """A requirement that fails as the implementation's own list says."""

    requirement: Text
    reason: Text


class Profile(Part, frozen=True, kw_only=True, rename="camel"):
    """One mode of the proxy."""

    name: Text
    result: Annotated[str, one_of(["success", "partial", "failure"])]
    """success: all that is core or claimed holds; partial: something was not tested, or fails as
    listed in expectedFailures.
    """
    kernels: tuple[Text, ...] | UnsetType = UNSET
    core: Level | UnsetType = UNSET
    extended: Level | UnsetType = UNSET
    mode: Level | UnsetType = UNSET
    provisional: Level | UnsetType = UNSET
    expected_failures: tuple[ExpectedFailure, ...] | UnsetType = UNSET


class Report(Part, frozen=True, kw_only=True):
    """What ./conform publish writes, as YAML: who made the proxy, what was judged, and what came of
    it in each mode. Its shape follows that of the Gateway API's conformance reports.
    """

    kind: Literal["ServiceProxyConformanceReport"]
    schema: Literal[1]
    date: Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT")]
    suite: Suite
    implementation: Implementation
    profiles: Annotated[tuple[Profile, ...], msgspec.Meta(min_length=1)]
    reproduce: Text
    """The command that repeats the run."""


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
    report = Report(
        kind="ServiceProxyConformanceReport",
        schema=VERSION,
        date=run.header.started,
        suite=Suite(
            name=run.header.suite.name,
            version=run.header.suite.version,
            commit=run.header.suite.commit or UNSET,
        ),
        implementation=Implementation(
            project=said.name,
            organization=organization or said.organization,
            url=url or said.url,
            version=said.version,
            contact=tuple(contact) or said.contact,
            sha256=said.sha256 or UNSET,
        ),
        profiles=tuple(_profile(run, mode) for mode in run.modes),
        reproduce=run.header.reproduce,
    )
    document = values(report)
    try:
        msgspec.convert(document, Report)
    except msgspec.ValidationError as error:
        where, _, what = misfit(error, document).partition(": ")
        hint = _MENDED_BY.get(where, "reports/texts/conformance.schema.json")
        raise ResultFileError(f"{where} cannot be published: {what}; see {hint}") from error
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)


_MENDED_BY: Final = {
    "implementation.organization": "--organization, or organization in its TOML file",
    "implementation.url": "--url, or url in its TOML file",
    "implementation.contact": "--contact, or contact in its TOML file",
    "implementation.version": "a binary that says its version",
}


def _profile(run: Run, mode: str) -> Profile:
    return Profile(
        name=mode,
        result=_RESULTS[run.verdict(mode)],
        kernels=tuple(run.seen(mode, lambda f: f.kernel)) or UNSET,
        expected_failures=_known(run, mode) or UNSET,
        **{
            level: _level(run, mode, [each for each in run.requirements if each.level == level])
            for level in LEVELS
        },
    )


def _level(run: Run, mode: str, members: Sequence[Requirement]) -> Level | UnsetType:
    words = {each.id: run.cells[each.id][mode].word for each in members}
    counts = Counter(words.values())
    asked = len(members) - counts[UNCLAIMED] - counts[NOT_APPLICABLE]
    features = {each.feature for each in members if each.feature}
    unclaimed = {each.feature for each in members if each.feature and words[each.id] == UNCLAIMED}
    if not asked and not features:
        return UNSET
    failed = sum(counts[word] for word in BAD)
    skipped = asked - counts[PASSED] - failed - counts[EXPECTED_FAILURE]
    result = "failure" if failed else "partial" if skipped + counts[EXPECTED_FAILURE] else "success"
    return Level(
        result=result if asked else "none",
        statistics=Statistics(
            passed=counts[PASSED],
            failed=failed,
            expected_failures=counts[EXPECTED_FAILURE],
            skipped=skipped,
        ),
        claimed_features=tuple(sorted(features - unclaimed)) if features else UNSET,
        unclaimed_features=tuple(sorted(unclaimed)) if features else UNSET,
    )


def _known(run: Run, mode: str) -> tuple[ExpectedFailure, ...]:
    known = []
    for requirement in run.requirements:
        results = run.cells[requirement.id][mode].results
        reasons = [r.reason for r in results if r.outcome == EXPECTED_FAILURE]
        if reasons:
            known.append(ExpectedFailure(requirement=requirement.id, reason=reasons[0]))
    return tuple(known)
