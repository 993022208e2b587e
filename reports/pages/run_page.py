"""The HTML report: one file that works offline, without scripts, and on paper."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup, escape

from reports.drawing import charts
from reports.model import fingerprints, node_words, wording
from reports.model.reproduce import reproduce
from reports.model.run import BAD, LABELS, TOLD, WORDS
from reports.records.results import EXPECTED_FAILURE, SKIPPED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from reports.model.run import Measurement, Requirement, Result, Run

_EVIDENCE: Final = {
    "failure.txt": "the failure",
    "pod.pcap": "pod wire",
    "external.pcap": "external wire",
    "rules-before.txt": "rules before",
    "rules-after.txt": "rules after",
    "conntrack.txt": "connections tracked",
    "objects.json": "API objects",
    "proxy.log": "log of the proxy",
    "reproduce.txt": "how to repeat it",
}
_CONTRAST = re.compile(
    r"^(?:E\s+)?(expected|expectation|observed|observation|got)\s*:\s*(\S.*)$", re.IGNORECASE
)


@dataclass(frozen=True)
class Group:
    """Results of one requirement in one mode that are told together."""

    requirement: Requirement
    mode: str
    word: str
    reason: str
    results: tuple[Result, ...]
    cases: int


@dataclass(frozen=True)
class Row:
    """One measured quantity in one mode."""

    mode: str
    measurement: Measurement
    chart: Markup


@dataclass(frozen=True)
class Quantity:
    """One measured quantity, to be compared between the modes."""

    requirement: Requirement
    case: str
    name: str
    logarithmic: bool
    rows: tuple[Row, ...]


def anchor(*parts: str) -> str:
    """A name for a place in the page, made of letters that need no escaping."""
    return "-".join(re.sub(r"[^A-Za-z0-9_]+", "-", part) for part in parts)


def prose(value: str) -> Markup:
    """Text with its web addresses made into links, everything else escaped."""
    out, last = [], 0
    for match in wording.URL.finditer(value):
        url = match.group()
        out += [escape(value[last : match.start()]), Markup('<a href="{0}">{0}</a>').format(url)]
        last = match.end()
    return Markup("").join([*out, escape(value[last:])])


def contrast(result: Result) -> list[tuple[str, str]]:
    """The lines `expected: ...` and `observed: ...` of a failure, where it has such lines."""
    for source in (result.reason, result.details):
        found = [m.groups() for line in source.splitlines() if (m := _CONTRAST.match(line.strip()))]
        if found:
            return [(name.lower(), value) for name, value in found]
    return []


def claim(result: Result) -> str:
    """The reason of a result without the lines that `contrast` shows apart."""
    lines = result.reason.splitlines()
    return "\n".join(line for line in lines if not _CONTRAST.match(line.strip()))


def evidence(result: Result, folder: Path | None, way: str = ".") -> list[tuple[str, str, str]]:
    """Name, address and size of each file of a result's evidence, the folder itself first.

    `way` leads from the page to the run's `folder`.
    """
    if result.evidence is None:
        return []
    # "./" keeps a path a path: it cannot be taken for an address with a scheme.
    base = f"{quote(way)}/{quote(result.evidence.strip('/'))}"
    links = [(f"{result.evidence}/", f"{base}/", "")]
    place = folder / result.evidence if folder else None
    if place is None or not place.is_dir():
        return links
    order = list(_EVIDENCE)
    found = [path for path in place.iterdir() if path.is_file()]
    found.sort(key=lambda p: (order.index(p.name) if p.name in order else len(order), p.name))
    for path in found:
        about = f"{_EVIDENCE[path.name]}, " if path.name in _EVIDENCE else ""
        links.append((path.name, f"{base}/{quote(path.name)}", f"{about}{_size(path)}"))
    return links


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size:,} B" if size < 10_000 else f"{size / 1000:,.0f} kB"


def _groups(run: Run, outcomes: Sequence[str], *, by_reason: bool) -> list[Group]:
    """The results with some outcomes, by requirement and mode and, if wanted, reason."""
    groups = []
    for requirement in run.requirements:
        for mode, cell in run.cells[requirement.id].items():
            found: dict[str, list[Result]] = {}
            for result in cell.results:
                if result.outcome in outcomes:
                    found.setdefault(result.reason if by_reason else "", []).append(result)
            for reason, results in found.items():
                word = min((r.outcome for r in results), key=WORDS.index)
                groups.append(
                    Group(requirement, mode, word, reason, tuple(results), len(cell.results))
                )
    return groups


def _quantities(run: Run) -> list[Quantity]:
    """Everything measured, the same quantity of all modes together."""
    by_id = {requirement.id: requirement for requirement in run.requirements}
    found: dict[tuple[str, str, str, str], list[tuple[str, Measurement]]] = {}
    for result in run.results:
        for m in result.measurements:
            key = (result.requirement, result.case, m.name, m.unit)
            found.setdefault(key, []).append((result.mode, m))
    quantities = []
    for (requirement, case, name, _), rows in found.items():
        rows.sort(key=lambda row: run.modes.index(row[0]))
        comparable = [m for _, m in rows if not m.emulated] or [m for _, m in rows]
        along = charts.axis(comparable)
        quantities.append(
            Quantity(
                requirement=by_id[requirement],
                case=case,
                name=name,
                logarithmic=along is not None and along.logarithmic,
                rows=tuple(
                    Row(
                        mode,
                        m,
                        charts.samples(m, along, f"{name}, {mode}")
                        if along and m in comparable
                        else Markup(),
                    )
                    for mode, m in rows
                ),
            )
        )
    return quantities


def _cases(run: Run, requirement: Requirement) -> list[tuple[str, dict[str, list[Result]]]]:
    """The cases of a requirement, each with its results by mode."""
    rows: dict[str, dict[str, list[Result]]] = {}
    for mode, cell in run.cells[requirement.id].items():
        for result in cell.results:
            row = rows.setdefault(result.case, {m: [] for m in run.modes})
            row[mode].append(result)
    return list(rows.items())


def environment() -> Environment:
    """What templates of pages are rendered with: each other, the style sheets and the scripts."""
    package = files("reports.pages").joinpath("templates")
    sources = {
        entry.name: entry.read_text("utf-8")
        for entry in package.iterdir()
        if entry.name.endswith((".html.j2", ".css", ".js"))
    }
    made = Environment(
        loader=DictLoader(sources),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "anchor": anchor,
        "duration": wording.duration,
        "interval": wording.interval,
        "label": LABELS.__getitem__,
        "number": wording.number,
        "probability": wording.probability,
        "prose": prose,
        "told": wording.told,
    }
    made.globals |= {
        "bars": charts.bars,
        "claim": claim,
        "contrast": contrast,
        "several": wording.several,
        "anchor": anchor,
    }
    return made


def _areas(run: Run) -> dict[str, list[Requirement]]:
    areas: dict[str, list[Requirement]] = {area: [] for area in run.areas}
    for requirement in run.requirements:
        areas[requirement.area].append(requirement)
    return areas


def render(run: Run, folder: Path | None = None) -> str:
    """The report of a run as one HTML page.

    `folder` is where the page will stand; evidence files found there are linked one by one.
    """

    def links(result: Result) -> Iterable[tuple[str, str, str]]:
        return evidence(result, folder)

    return (
        environment()
        .get_template("report.html.j2")
        .render(
            run=run,
            words=WORDS,
            told_words=TOLD,
            areas=_areas(run),
            cases=lambda requirement: _cases(run, requirement),
            expected=_groups(run, (EXPECTED_FAILURE,), by_reason=True),
            failures=_groups(run, BAD, by_reason=False),
            skipped=_groups(run, (SKIPPED,), by_reason=True),
            nodes=node_words.groups(run),
            fingerprints=fingerprints.rows(run),
            quantities=_quantities(run),
            evidence=links,
            reproduce=lambda result: reproduce(run, result, folder),
        )
    )
