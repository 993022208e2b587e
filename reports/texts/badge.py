"""A badge: the verdict of each mode in one small picture, as SVG without fonts or scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from reports.model.wording import known_faults

if TYPE_CHECKING:
    from reports.model.run import Run

# White letters stand out on each of these (WCAG 2.2, level AA), and each has its word beside it.
COLOURS: Final = {
    "pass": "#15713a",
    "known-faults": "#7a5200",
    "partial": "#7a5200",
    "fail": "#b3181d",
    "error": "#7a1fa2",
}
_GROUND: Final = "#444c56"
_TITLE: Final = "service proxy"
_HEIGHT: Final = 20
_PADDING: Final = 7


def render(run: Run) -> str:
    """The badge of a run: `service proxy | iptables pass | nftables pass`."""
    parts = [(_TITLE, _GROUND)]
    words = {mode: _word(run, mode) for mode in run.modes}
    parts += [(f"{mode} {word}", COLOURS[run.verdict(mode)]) for mode, word in words.items()]
    said = ", ".join(f"{mode}: {word}" for mode, word in words.items())
    x = 0
    shapes = []
    for text, colour in parts:
        letters = width(text)
        whole = letters + 2 * _PADDING
        shapes.append(
            Markup(
                '<rect x="{}" width="{}" height="{}" fill="{}"/>'
                '<text x="{}" y="14" textLength="{}" fill="#fff">{}</text>'
            ).format(x, whole, _HEIGHT, colour, x + _PADDING, letters, text)
        )
        x += whole
    return str(
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" role="img"'
            ' aria-label="{2}"><title>{2}</title><clipPath id="round"><rect width="{0}"'
            ' height="{1}" rx="3"/></clipPath><g clip-path="url(#round)"'
            ' font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">{3}</g></svg>\n'
        ).format(x, _HEIGHT, f"{run.header.subject}: {said}", Markup("").join(shapes))
    )


def _word(run: Run, mode: str) -> str:
    verdict = run.verdict(mode)
    return known_faults(run.known_faults(mode)) if verdict == "known-faults" else verdict


def width(text: str) -> int:
    """About as wide as Verdana draws it at 11 px; textLength makes every font fit."""
    narrow = sum(letter in "ijlt.,:;|'! f" for letter in text)
    wide = sum(letter in "mwMW@" for letter in text)
    return round(7.0 * len(text) - 3.0 * narrow + 3.5 * wide)
