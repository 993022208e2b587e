"""The table as a picture: SVG without fonts or scripts, a row for each mode, a square an area."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from reports.table.rows import NOTHING
from reports.texts.badge import COLOURS, width

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reports.table.rows import Area, Row, Table

_COLOURS: Final = {**COLOURS, "partial": "#57606a"}
_SIGNS: Final = {"pass": "✓", "known-faults": "~", "partial": "?", "fail": "✗", "error": "!"}
"""What tells the squares apart where colours do not."""

_LEGEND: Final = (
    "✓ all that binds it holds · ~ the others fail as listed · ? incomplete · ✗ some fail"
    " · ! some could not be judged · nothing: not claimed"
)
_SIDE: Final = 22
_GAP: Final = 3
_MARGIN: Final = 12
_SLANT: Final = 50  # degrees by which the names of areas are turned
_INK: Final = "#24292f"
_GROUND: Final = "#ffffff"


def render(found: Table) -> str:
    """The picture, of a size that follows from the table."""
    names = [f"{row.name} {row.version}, {row.mode}" for row in found.rows]
    left = _MARGIN + max(map(width, names)) + _MARGIN
    top = _MARGIN + round(0.8 * max(map(width, found.areas), default=0)) + _MARGIN
    step = _SIDE + _GAP
    right = left + step * len(found.areas) + _MARGIN
    across = right + max(width(row.label) for row in found.rows) + 5 * _MARGIN
    legend = top + step * len(found.rows) + _MARGIN
    shapes = [
        _text(area, left + step * at + _SIDE // 2, top - 6, f"rotate(-{_SLANT} {{0}} {{1}})")
        for at, area in enumerate(found.areas)
    ]
    for number, (row, name) in enumerate(zip(found.rows, names, strict=True)):
        y = top + step * number
        shapes.append(_text(name, _MARGIN, y + 15))
        shapes += _squares(row, left, y)
        shapes.append(_text(row.label, right, y + 15, colour=_COLOURS[row.word], bold=True))
    shapes.append(_text(_LEGEND, _MARGIN, legend + 6))
    across, down = max(across, width(_LEGEND) + 2 * _MARGIN), legend + 2 * _MARGIN
    said = "; ".join(f"{name}: {row.label}" for row, name in zip(found.rows, names, strict=True))
    return str(
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}"'
            ' viewBox="0 0 {0} {1}" role="img" aria-label="{2}"><title>{2}</title>'
            '<rect width="{0}" height="{1}" fill="{3}"/>'
            '<g font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">{4}</g></svg>\n'
        ).format(across, down, said, _GROUND, Markup("").join(shapes))
    )


def _squares(row: Row, left: int, y: int) -> Iterator[Markup]:
    for at, area in enumerate(row.areas):
        if area.word != NOTHING:
            yield _square(area, left + (_SIDE + _GAP) * at, y)


def _square(area: Area, x: int, y: int) -> Markup:
    return Markup(
        '<g><title>{}</title><rect x="{}" y="{}" width="{}" height="{}" rx="3" fill="{}"/>'
        '<text x="{}" y="{}" text-anchor="middle" fill="#fff">{}</text></g>'
    ).format(
        f"{area.name}: {area.told}",
        *(x, y, _SIDE, _SIDE, _COLOURS[area.word]),
        *(x + _SIDE // 2, y + 15, _SIGNS[area.word]),
    )


def _text(
    said: str, x: int, y: int, turned: str = "", *, colour: str = _INK, bold: bool = False
) -> Markup:
    more = Markup(' transform="{}"').format(turned.format(x, y)) if turned else Markup("")
    more += Markup(' font-weight="bold"') if bold else Markup("")
    return Markup('<text x="{}" y="{}" fill="{}"{}>{}</text>').format(x, y, colour, more, said)
