"""The comparison as Markdown, for a pull request or the summary of a CI step."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reports.drawing.comparison_charts import charts
from reports.model import wording
from reports.model.comparison import KINDS
from reports.model.freedom import pairs
from reports.model.parity import parities
from reports.model.wording import BAD, LABELS, VERDICTS
from reports.verdicts.claims import claims
from reports.verdicts.pace import paces
from reports.verdicts.recommend import recommendations

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reports.model.comparison import Comparison
    from reports.model.parity import Parity, Unlike
    from reports.model.run import Cell

LIMIT: Final = 1 << 20
"""Bytes that a step summary may have; what is longer is refused as a whole by those who show it."""

_REASON: Final = 300  # characters of a reason; the HTML report has them all
MARKS: Final = {"pass": "✅", "known-faults": "🟡", "partial": "🟡", "fail": "❌", "error": "🟣"}


def render(comparison: Comparison) -> str:
    """Markdown in GitHub's dialect, always shorter than `LIMIT` bytes of UTF-8.

    Where everything does not fit, the matrix is left out first, and then what else is at the end.
    """
    subjects = dict.fromkeys(column.subject for column in comparison.columns)
    parts = [
        [f"# {text(' · '.join(subjects))}", ""],
        _verdicts(comparison),
        _parity(comparison),
        _differences(comparison),
        _decisions(comparison),
        _choice(comparison),
        _paces(comparison),
        _claims(comparison),
        _figures(comparison),
        _matrix(comparison),
    ]
    cut = "\n_More than fits here: the HTML report has it all._\n"
    out = ""
    for lines in parts:
        more = "\n".join([*lines, ""])
        if len((out + more + cut).encode()) >= LIMIT:
            return _shortened(out + more, cut)
        out += more
    return out


def _shortened(whole: str, cut: str) -> str:
    """As many whole lines as fit; a section that was folded is closed."""
    room = LIMIT - len(cut.encode()) - len("</details>\n") - 1
    kept = whole.encode()[:room].decode(errors="ignore").rpartition("\n")[0]
    folded = kept.count("<details>") > kept.count("</details>")
    return kept + ("\n</details>\n" if folded else "\n") + cut


def text(value: str) -> str:
    """Text of others that stays text: no markup, no cell or line of its own, nobody mentioned."""
    first = value.strip().splitlines()[0] if value.strip() else ""
    first = first if len(first) <= _REASON else first[: _REASON - 1] + "…"
    out, last = [], 0
    for match in wording.URL.finditer(first):
        out += [_escaped(first[last : match.start()]), match.group().replace("|", "%7C")]
        last = match.end()
    return "".join([*out, _escaped(first[last:])])


def _escaped(value: str) -> str:
    value = re.sub(r"([\\`*_\[\]|#~])", r"\\\1", value)
    return value.replace("&", "&amp;").replace("<", "&lt;").replace("@", "@\u200b")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table, whose cells are Markdown already."""
    return [
        f"| {' | '.join(heads)} |",
        f"|{'---|' * len(heads)}",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
    ]


def _folded(title: str, lines: Sequence[str]) -> list[str]:
    return [f"<details><summary>{title}</summary>", "", *lines, "</details>", ""]


def _verdicts(comparison: Comparison) -> list[str]:
    verdicts = [(c, f"{MARKS[c.verdict]} {VERDICTS[c.verdict]}") for c in comparison.columns]
    rows = [(f"**{text(c.label)}**", verdict, text(c.sentence)) for c, verdict in verdicts]
    return table(("", "verdict", ""), rows)


def _parity(comparison: Comparison) -> list[str]:
    lines = []
    for found in parities(comparison):
        lines += [f"## Parity: {text(' and '.join(found.nodes))}", ""]
        for pair in found.pairs:
            every = wording.several(pair.total, "requirement")
            alone = f"; {pair.alone} judged on one side alone" if pair.alone else ""
            same = sum(pair.same.values())
            lines.append(f"- {text(pair.mode)}: {same} of {every} have the same verdict{alone}")
        lines += [f"- What differs besides: {text('; '.join(found.also))}"] if found.also else []
        lines.append("")
        heads = ("requirement", "mode", *map(text, found.nodes), "why")
        rows = [_unlike(found, each) for each in found.unlike]
        lines += table(heads, rows) if rows else []
    return lines


def _unlike(parity: Parity, unlike: Unlike) -> list[str]:
    said = [
        f"{name}: {reason}"
        for name, reasons in zip(parity.nodes, unlike.said, strict=True)
        for reason in reasons
    ]
    why = [*map(text, unlike.because)] or ["❌ **not explained**"]
    return [
        f"`{unlike.requirement.id}`",
        text(unlike.mode),
        *map(_word, unlike.cells),
        "<br>".join([*why, *map(text, said)]),
    ]


def _differences(comparison: Comparison) -> list[str]:
    counts = [f"{len(comparison.of_kind(kind))} {kind}" for kind in KINDS]
    every = wording.several(len(comparison.requirements), "requirement")
    lines = [
        "## What differs",
        "",
        f"{', '.join(counts)}; {comparison.identical} of {every} the same in every column.",
        "",
    ]
    for kind in KINDS:
        found = comparison.of_kind(kind)
        if found:
            rows = [
                (
                    f"`{each.requirement.id}`",
                    text(each.requirement.statement),
                    text(", ".join(column.label for column in each.columns)),
                    "<br>".join(map(text, each.reasons)) or "-",
                )
                for each in found
            ]
            lines += [f"### {kind.capitalize()}", ""]
            lines += table(("requirement", "says", "in", "why"), rows)
    return lines


def _decisions(comparison: Comparison) -> list[str]:
    lines = []
    for pair in pairs(comparison):
        names = f"{pair.before.label} and {pair.column.label}"
        lines += [f"### Decisions: {text(names)}", "", text(pair.summary), ""]
        heads = "decided by", *map(text, (pair.before.label, pair.column.label)), "n", "such as"
        rows = [
            (
                *map(text, (each.about, each.was, each.now)),
                f"{each.decisions:,}",
                text(each.example),
            )
            for each in pair.freedoms
        ]
        lines += table(heads, rows) if rows else []
    return lines


def _choice(comparison: Comparison) -> list[str]:
    rows = [
        (
            text(r.about),
            f"**{r.pick}**" if r.decided else r.pick,
            "<br>".join(map(text, r.why)),
            r.said,
        )
        for r in recommendations(comparison)
    ]
    return ["## Which mode to take", "", *table(("scenario", "take", "because", "said"), rows)]


def _paces(comparison: Comparison) -> list[str]:
    rows = [(text(p.subject), text(p.figure), p.told, text(p.before)) for p in paces(comparison)]
    if not rows:
        return []
    return ["## Slower or faster", "", *table(("proxy", "figure", "is", "held against"), rows)]


def _claims(comparison: Comparison) -> list[str]:
    rows = []
    for c in claims(comparison):
        told = [*(finding.text for finding in c.findings), *([f"Known: {c.known}"] * bool(c.known))]
        found = "<br>".join(map(text, told))
        rows.append((c.id, text(c.statement), f"**{c.word}** ({c.checked})", found))
    return _folded(
        "What is said of the modes, and what was found",
        table(("id", "said", "here", "found"), rows),
    )


def _figures(comparison: Comparison) -> list[str]:
    lines = []
    for chart in charts(comparison):
        lines += [f"**{text(chart.title)}**", ""]
        lines += table(chart.heads, [[text(value) for value in row] for row in chart.rows])
    return _folded("What was measured", lines) if lines else []


def _matrix(comparison: Comparison) -> list[str]:
    rows = [
        (f"`{each.id}`", each.level, *(_word(cell) for _, cell in comparison.row(each.id)))
        for each in comparison.requirements
    ]
    heads = ("requirement", "level", *(text(column.label) for column in comparison.columns))
    return _folded("Every requirement", table(heads, rows))


def _word(cell: Cell) -> str:
    return f"**{LABELS[cell.word]}**" if cell.word in BAD else LABELS[cell.word]
