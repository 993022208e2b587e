"""Releases in a row as Markdown, for a pull request or the notes of a release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.model.releases import version_of
from reports.model.wording import LABELS, VERDICTS
from reports.texts.markdown import table, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reports.model.releases import Change, Releases, Step
    from reports.model.run import Run


def render(found: Releases) -> str:
    """Markdown in GitHub's dialect: each release with its verdicts, and one table of all that each
    mended, broke and changed.
    """
    names = [found.runs[0].header.implementation.name, *map(version_of, found.runs)]
    lines = [f"# {text(' '.join(names))}", "", text(found.answer), ""]
    lines += [f"- **{text(version_of(run))}**: {_verdicts(found, run)}" for run in found.runs]
    lines.append("")
    rows = [_row(step, change) for step in found.steps for change in step.changes]
    heads = ("release", "did", "requirement", "mode", "before", "after", "why")
    unlisted = [
        (
            text(version_of(column.run)),
            "**not listed**",
            f"`{text(requirement.id)}`",
            text(column.mode),
            "",
            LABELS[cell.word],
            "<br>".join(map(text, cell.reasons)) or "**unknown**",
        )
        for column, requirement, cell in found.unlisted
    ]
    return "\n".join([*lines, *table(heads, [*rows, *unlisted])])


def _verdicts(found: Releases, run: Run) -> str:
    words = [f"{text(c.mode)} {VERDICTS[c.verdict]}" for c in found.columns(run)]
    return ", ".join([*words, *_demanded(found, run)])


def _demanded(found: Releases, run: Run) -> Iterator[str]:
    for release, columns in found.announced.items():
        words = {each.column.mode: each.word for each in columns if each.column.run is run}
        told = set(words.values())
        each = [f"{text(mode)} {word}" for mode, word in words.items()]
        yield f"for {release} {', '.join(told if len(told) == 1 else each)}"


def _row(step: Step, change: Change) -> tuple[str, ...]:
    some = len(change.cases) < change.of
    cases = f" ({len(change.cases)} of {change.of} cases)" if some else ""
    return (
        text(version_of(step.run)),
        change.kind,
        f"`{text(change.requirement.id)}`{cases}",
        text(", ".join(change.modes)),
        *(LABELS[word] if word else "not run" for word in (change.was, change.now)),
        "<br>".join(text(cause.told) for cause in change.causes) or "**unknown**",
    )
