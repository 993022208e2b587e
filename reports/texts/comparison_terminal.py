"""What the terminal says of a comparison: one screen."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from reports.model.comparison import DOCUMENTED, FAILING, KINDS, NEWLY_FAILING
from reports.model.freedom import pairs
from reports.model.parity import parities
from reports.model.wording import LABELS, several
from reports.texts import terminal
from reports.verdicts.claims import claims
from reports.verdicts.pace import paces
from reports.verdicts.recommend import by_scenario, recommendations

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reports.model.comparison import Comparison
    from reports.model.freedom import Pair
    from reports.model.parity import Parity

_MOST: Final = 10


def summary(comparison: Comparison, *, colour: bool = False, wrote: Iterable[str] = ()) -> str:
    """Verdicts, differences and recommendations in ASCII; `wrote` are the files to point to.

    No newline at the end.
    """
    pen = terminal.Pen(colour=colour)
    width = max(len(column.label) for column in comparison.columns)
    verdicts = [column.verdict for column in comparison.columns]
    lines = []
    for column in comparison.columns:
        word = terminal.verdict_word(column.verdict, verdicts, pen)
        lines.append(f"{column.label.ljust(width)}  {word}  {terminal.plain(column.sentence)}")
    for parity in parities(comparison):
        lines += ["", *_parity(parity, pen)]
    for kind in KINDS:
        found = comparison.of_kind(kind)
        if not found and kind != NEWLY_FAILING:
            continue
        loud = "31" if kind in (NEWLY_FAILING, FAILING) and found else ""
        lines += ["", pen(f"{kind.capitalize()}: {len(found)}", loud or "1")]
        if kind == DOCUMENTED and found:
            lines[-1] += "  (with their sources in the report)"
        for each in found[:_MOST]:
            words = dict.fromkeys(LABELS[c.cell(each.requirement.id).word] for c in each.columns)
            where = ", ".join(column.label for column in each.columns)
            lines.append(terminal.cut(f"  {each.requirement.id}: {', '.join(words)} in {where}"))
        if len(found) > _MOST:
            lines.append(f"  and {len(found) - _MOST} more, in the report")
    for pair in pairs(comparison):
        lines += ["", *_decisions(pair, pen)]
    lines += ["", pen("Which mode to take", "1")]
    for scenario, members in by_scenario(recommendations(comparison)).items():
        picks: dict[str, list[str]] = {}
        for choice in members:
            told = pen(choice.pick, "1" if choice.decided else "")
            picks.setdefault(told, []).append(choice.subject)
        split = [f"{told} ({', '.join(about)})" for told, about in picks.items()]
        lines.append(f"  {scenario}: {', '.join(picks if len(picks) == 1 else split)}")
    moved = paces(comparison)
    if moved:
        lines += ["", pen("Slower or faster, beyond doubt", "1")]
    for pace in moved[:_MOST]:
        lines.append(terminal.cut(f"  {pace.subject}, {pace.figure}: {pace.told} as {pace.before}"))
    if len(moved) > _MOST:
        lines.append(f"  and {len(moved) - _MOST} more, in the report")
    found_of = Counter(claim.word for claim in claims(comparison))
    told = ", ".join(f"{word} {count}" for word, count in found_of.items())
    lines += ["", f"{found_of.total()} things are said of the modes: {told}"]
    lines += [f"Wrote: {name}" for name in wrote]
    return "\n".join(lines)


def _decisions(pair: Pair, pen: terminal.Pen) -> list[str]:
    """What a census decided otherwise in another column, and rightly in both."""
    lines = [pen(f"Decisions: {pair.before.label} and {pair.column.label}", "1")]
    lines.append(f"  {pair.summary}")
    for each in pair.freedoms[:_MOST]:
        lines += [
            f"  {terminal.plain(pair.told(each))}",
            f"    such as {terminal.plain(each.example)}",
        ]
    if len(pair.freedoms) > _MOST:
        lines.append(f"  and {len(pair.freedoms) - _MOST} kinds more, in the report")
    return lines


def _parity(parity: Parity, pen: terminal.Pen) -> list[str]:
    """How far the modes of one proxy agree on nodes of two kinds, and what differs."""
    first, second = parity.nodes
    lines = [pen(f"Parity: {first} and {second}", "1")]
    for pair in parity.pairs:
        same, every = sum(pair.same.values()), several(pair.total, "requirement")
        alone = f", {pair.alone} judged on one side alone" if pair.alone else ""
        lines.append(f"  {pair.mode}: {same} of {every} the same{alone}")
    for each in parity.unlike[:_MOST]:
        words = [LABELS[cell.word] for cell in each.cells]
        about = f"  {each.requirement.id}, {each.mode}: {words[0]} and {words[1]}, "
        if each.because:
            lines.append(terminal.cut(about + f"explained: {terminal.plain(each.because[0])}"))
        else:
            lines.append(about + pen("NOT EXPLAINED", "31"))
    if len(parity.unlike) > _MOST:
        lines.append(f"  and {len(parity.unlike) - _MOST} more, in the report")
    return lines
