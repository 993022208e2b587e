"""What the terminal says at the end of a rehearsal."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from reports.model.wording import duration, interval, several
from reports.texts.terminal import Pen

if TYPE_CHECKING:
    from reports.model.migration import Course, Rehearsed

_BOLD, _RED = "1", "31"
_WIDTH: Final = 100


def summary(found: Rehearsed, *, colour: bool = False) -> str:
    """A table of all ways and directions, and in which order to go about it."""
    pen = Pen(colour=colour)
    header = found.header
    lines = [
        pen(f"{header.subject}: {' and '.join(header.modes)} mode, switched under traffic", _BOLD),
        f"  new connections fail for   {'p50':>18} {'p95':>18} {'max':>18}",
    ]
    for course in found.courses:
        lines += _told(course, pen)
    lines.append("")
    for number, each in enumerate(found.advice(header.modes[0]), start=1):
        lines += textwrap.wrap(each, _WIDTH, initial_indent=f"{number}. ", subsequent_indent="   ")
    lines.append(
        f"{several(sum(len(each.switches) for each in found.courses), 'switch', 'switches')} in"
        f" {duration(found.footer.seconds)}"
    )
    return "\n".join(lines)


def _told(course: Course, pen: Pen) -> list[str]:
    bounds = (f"{interval(course.window(share), 's'):>18}" for share in (0.5, 0.95, 1.0))
    lines = [
        f"  {f'{course.way}, {course.name}':<26} {' '.join(bounds)}",
        f"    flows: {course.flows()}",
    ]
    if course.left:
        lines += textwrap.wrap(
            f"left: {', '.join(course.left_names)}",
            _WIDTH,
            initial_indent="    ",
            subsequent_indent="      ",
        )
    if course.wrong_times:
        many = several(len(course.switches), "switch", "switches")
        lines.append(pen(f"    wrong after {course.wrong_times} of {many}:", _RED))
        lines += [f"      {each}" for each in course.wrong[:3]]
    return lines
