"""What the terminal says of releases in a row: one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reports.model.releases import KINDS, READY, version_of
from reports.model.wording import LABELS, VERDICTS, several
from reports.texts import terminal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reports.model.releases import Releases, Step

_MOST: Final = 10


def summary(found: Releases, *, colour: bool = False, wrote: Iterable[str] = ()) -> str:
    """Each release with what it did, what has no known cause, and the files to point to, in ASCII.

    No newline at the end.
    """
    pen = terminal.Pen(colour=colour)
    lines = [""]
    for run in found.runs:
        words = [f"{c.mode} {VERDICTS[c.verdict]}" for c in found.columns(run)]
        lines.append(f"{pen(version_of(run), '1')}  {', '.join(words)}")
        if step := found.step(run):
            lines.append(f"  against {version_of(step.before)}: {_did(step)}")
        for release, columns in found.announced.items():
            here = [each for each in columns if each.column.run is run]
            told = ", ".join(f"{each.column.mode} {each.word}" for each in here)
            ready = all(each.word == READY for each in here)
            lines.append(f"  for {release}: {pen(told, '32' if ready else '31')}")
    wrong = [
        f"{version_of(step.run)} {change.kind} {change.requirement.id} in {', '.join(change.modes)}"
        for step, change in found.unknown
    ]
    wrong += [
        f"{version_of(column.run)} {column.mode}: {each.id} {LABELS[cell.word]}, not listed"
        for column, each, cell in found.unlisted
    ]
    lines += ["", pen(found.answer, "1;31" if found.exit_code else "1;32")]
    lines += [terminal.cut(f"  {terminal.plain(line)}") for line in wrong[:_MOST]]
    if len(wrong) > _MOST:
        lines.append(f"  and {len(wrong) - _MOST} more, in the page")
    lines += [f"Wrote: {name}" for name in wrote]
    return "\n".join(lines)


def _did(step: Step) -> str:
    """What a release did, in numbers."""
    counts = {kind: len(step.of_kind(kind)) for kind in KINDS}
    told = [f"{kind} {count}" for kind, count in counts.items() if count]
    same = "" if told else "nothing came out otherwise"
    decisions = sum(pair.different for pair in step.pairs)
    also = [f"{several(decisions, 'decision')} otherwise, though right"] if decisions else []
    return ", ".join([*told, *filter(None, [same]), *also])
