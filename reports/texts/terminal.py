"""What the terminal says at the end of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reports.model import node_words, wording
from reports.model.wording import BAD, LABELS, TOLD, VERDICTS
from reports.records.results import EXPECTED_FAILURE, SKIPPED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from reports.model.run import Run

_WIDTH: Final = 100  # beyond this a line of a list is cut off
_MOST: Final = 20  # entries of a list; the report has the rest
_BOLD, _RED, _GREEN, _YELLOW, _MAGENTA = "1", "31", "32", "33", "35"
_VERDICT_COLOURS = {
    "pass": f"{_BOLD};{_GREEN}",
    "known-faults": f"{_BOLD};{_YELLOW}",
    "partial": f"{_BOLD};{_YELLOW}",
    "fail": f"{_BOLD};{_RED}",
    "error": f"{_BOLD};{_MAGENTA}",
}


class Pen:
    """Writes colours, or leaves them out."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def __call__(self, value: str, code: str) -> str:
        """The text in the colours of an SGR code, such as `1;31`; as it is without one."""
        return f"\x1b[{code}m{value}\x1b[0m" if self._colour and code else value


def verdict_word(verdict: str, among: Iterable[str], pen: Pen) -> str:
    """A verdict in its colour, as wide as the widest of those that it stands among."""
    width = max(7, *(len(VERDICTS[each]) for each in among))
    return pen(VERDICTS[verdict].ljust(width), _VERDICT_COLOURS[verdict])


def plain(value: str) -> str:
    """The first line, in ASCII: a terminal in the C locale can show it."""
    first = value.strip().splitlines()[0] if value.strip() else ""
    swapped = first.replace("\u2013", "-").replace("µ", "u").replace("…", "...")
    return swapped.encode("ascii", "replace").decode()


def cut(line: str) -> str:
    """A line that is not wider than most terminals."""
    return line if len(line) <= _WIDTH else line[: _WIDTH - 3] + "..."


def _cell_colour(counts: Mapping[str, int]) -> str:
    if any(counts.get(word) for word in BAD):
        return _RED
    return _GREEN if counts.get("passed") else ""


def _matrix(run: Run, pen: Pen) -> list[str]:
    table = [[("", _BOLD), *((mode, _BOLD) for mode in run.modes)]]
    table += [
        [(area, ""), *((wording.told(row[m]), _cell_colour(row[m])) for m in run.modes)]
        for area, row in run.areas.items()
    ]
    widths = [max(len(text) for text, _ in column) for column in zip(*table, strict=True)]
    return [
        "   ".join(
            pen(plain(text), code) + " " * (width - len(plain(text)))
            for (text, code), width in zip(line, widths, strict=True)
        ).rstrip()
        for line in table
    ]


def _list(run: Run, title: str, outcomes: Sequence[str], pen: Pen) -> list[str]:
    """One line per requirement and mode that has such outcomes, with its first reason."""
    entries = [
        (requirement.id, mode, results, len(cell.results))
        for requirement in run.requirements
        for mode, cell in run.cells[requirement.id].items()
        if (results := [result for result in cell.results if result.outcome in outcomes])
    ]
    if not entries:
        return []
    first = max(len(name) for name, *_ in entries)
    second = max(len(mode) for _, mode, *_ in entries)
    lines = ["", pen(title, _BOLD)]
    for name, mode, results, cases in entries[:_MOST]:
        counts = {word: sum(r.outcome == word for r in results) for word in TOLD}
        words = ", ".join(LABELS[word] for word in TOLD if counts[word] and word in BAD)
        of = f"{len(results)}/{cases} cases" if cases > 1 else "1 case"
        reason = plain(next((r.reason for r in results if r.reason), "no reason given"))
        about = f"{words}, {of}: {reason}" if words else f"{of}: {reason}"
        lines.append(cut(f"  {name.ljust(first)}  {mode.ljust(second)}  {about}"))
    if len(entries) > _MOST:
        lines.append(f"  and {len(entries) - _MOST} more, in the report")
    return lines


def _verdicts(run: Run, pen: Pen) -> list[str]:
    width = max(len(mode) for mode in run.modes)
    lines = [""]
    for mode in run.modes:
        verdict = run.verdict(mode)
        said = "; ".join(plain(fault) for fault in run.faults(mode))
        counts = run.totals[mode]
        if verdict == "known-faults":
            known = wording.known_faults(run.known_faults(mode))
            rest = {word: count for word, count in counts.items() if word != EXPECTED_FAILURE}
            said = f"conforms but for {known}: {wording.told(rest)}"
        word = verdict_word(verdict, run.verdicts.values(), pen)
        lines.append(f"{mode.ljust(width)}  {word}  {said or wording.told(counts)}")
    if run.header.sampled:
        modes = " and ".join(run.header.sampled)
        lines.append(f"{modes}: one case of each requirement; --every-case runs all of them")
    return lines


def summary(run: Run, *, colour: bool = False, report: Path | str | None = None) -> str:
    """The end of a run in a few lines of ASCII: areas by modes, what failed, the verdicts.

    `colour` adds terminal colours, `report` is the page to point to. No newline at the end.
    """
    pen = Pen(colour=colour)
    where = plain(node_words.told(run))
    title = pen(plain(run.header.subject), _BOLD)
    lines = [f"{title} on {where}" if where else title, "", *_matrix(run, pen)]
    lines += _list(run, "Failures", BAD, pen)
    lines += _list(run, "Expected failures", (EXPECTED_FAILURE,), pen)
    lines += _list(run, "Skipped", (SKIPPED,), pen)
    lines += _verdicts(run, pen)
    end = run.end
    facts = [wording.duration(end.seconds), wording.several(len(run.results), "case")]
    if end.statistical_tests:
        bound = wording.probability(end.false_alarm_bound)
        facts.append(
            f"{wording.several(end.statistical_tests, 'statistical test')} (false alarm <= {bound})"
        )
    if run.header.seed is not None:
        facts.append(f"seed {run.header.seed}")
    lines += ["", plain(", ".join(facts))]
    if decided := sum(each.decisions for each in run.censuses):
        spent = sum(sum(each.seconds.values()) for each in run.censuses)
        rate = f", {decided / spent:,.0f} a worker second" if spent else ""
        lines.append(f"Censuses: {wording.several(decided, 'decision')}{rate}")
    if report is not None:
        lines.append(f"Report: {report}")
    return "\n".join(lines)
