"""What the terminal says of a gate: one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reports.model.wording import several
from reports.texts import terminal

if TYPE_CHECKING:
    from reports.verdicts.gate import Gate

_MOST: Final = 8  # reasons of one rule that are told: one screen is enough to say no


def told(gate: Gate, *, colour: bool = False) -> str:
    """One screen of ASCII: each rule, and why it stops the candidate. No newline at the end."""
    pen = terminal.Pen(colour=colour)
    lines = [f"{gate.subject} ({gate.verdicts}), held against {gate.against}", ""]
    for ruling in gate.rulings:
        word = pen("STOP", "1;31") if ruling.reasons else pen("ok  ", "32")
        lines.append(f"{word}  {ruling.rule}: {ruling.note}")
        lines += [terminal.cut(f"      {terminal.plain(r)}") for r in ruling.reasons[:_MOST]]
        if len(ruling.reasons) > _MOST:
            lines.append(f"      and {len(ruling.reasons) - _MOST} more")
    stops = sum(bool(ruling.reasons) for ruling in gate.rulings)
    verdict = (
        pen(f"STOPPED by {several(stops, 'rule')}", "1;31") if stops else pen("PASSES", "1;32")
    )
    return "\n".join([*lines, "", verdict])
