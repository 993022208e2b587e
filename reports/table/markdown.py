"""The table as Markdown: a page of a project's documentation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reports.table.rows import NOTHING
from reports.texts import markdown
from reports.texts.markdown import table, text

if TYPE_CHECKING:
    from reports.table.rows import Area, Row, Table

TITLE = "Service proxies by area"

MARKS: Final = {**markdown.MARKS, "partial": "⬜"}
"""What is incomplete looks like nothing else."""

LEGEND = (
    "Requirements that hold, of those that bind the row: core ones, and those of features that it"
    " claims. ✅ all hold; 🟡 the others fail as its authors list; ❌ some fail; 🟣 some could not"
    " be judged; ⬜ incomplete: not everything was run, which is no pass; empty: nothing of it is"
    " claimed."
)


def render(found: Table) -> str:
    """Markdown in GitHub's dialect: each row with its verdict and the command that repeats it, then
    areas by rows.
    """
    numbers = [f"({number})" for number in range(1, len(found.rows) + 1)]
    rows = [(number, *_row(row)) for number, row in zip(numbers, found.rows, strict=True)]
    heads = ("", "implementation", "version", "mode", "verdict", "on", "judged", "repeat it")
    areas = [
        (name, *map(_cell, (row.areas[at] for row in found.rows)))
        for at, name in enumerate(found.areas)
    ]
    names = (
        f"{number} {text(row.name)} {text(row.version)}<br>{text(row.mode)}"
        for number, row in zip(numbers, found.rows, strict=True)
    )
    lines = [f"# {TITLE}", "", text(found.answer), "", *table(heads, rows)]
    lines += ["## Areas", "", LEGEND, "", *table(("area", *names), areas)]
    return "\n".join([*lines, f"Judged by {text(', '.join(found.suites))}.", ""])


def _row(row: Row) -> tuple[str, ...]:
    sampled = "; one case of each requirement" if row.sampled else ""
    return (
        text(row.name),
        text(row.version),
        text(row.mode),
        f"{MARKS[row.word]} {row.label}<br>{text(row.told)}",
        text(f"{row.where}{sampled}"),
        text(row.judged),
        _code(row.command) if row.command else "not recorded",
    )


def _cell(area: Area) -> str:
    return "" if area.word == NOTHING else f"{MARKS[area.word]} {area.share}".strip()


def _code(command: str) -> str:
    """A command as it is, in a cell: between more backticks than stand in it."""
    fence = "`" * (max(map(len, re.findall("`+", command)), default=0) + 1)
    return f"{fence} {command} {fence}".replace("|", "\\|")
