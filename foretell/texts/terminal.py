"""For people, at a terminal."""

from __future__ import annotations

import itertools
import textwrap
from typing import TYPE_CHECKING, Final

from foretell.texts.wording import counted, headline, shown, summary, title

if TYPE_CHECKING:
    from collections.abc import Iterator

    from foretell.foretold import Change, Foretold

_WIDTH: Final = 100
_NAMES: Final = 5
_SOURCES: Final = 3


def told(found: Foretold) -> str:
    """All of it: what concerns Services first."""
    lines = [headline(found), summary(found)]
    lines += [f"Assumed: {each}." for each in found.cluster.assumed]
    number = itertools.count(1)
    for everywhere, said in ((False, "For Services"), (True, "For whoever runs it")):
        chosen = [each for each in found.changes if each.everywhere == everywhere]
        if chosen:
            lines += ["", said, "-" * len(said)]
        for each in (each for each in chosen if each.matters):
            lines += _change(next(number), each)
        if others := [each for each in chosen if not each.matters]:
            lines.append("New, or mended, and nothing is to be done:")
            for each in others:
                lines += _briefly(each)
    if not found.certain:
        lines += ["", "Nothing changes."]
    return "\n".join(lines)


def _briefly(change: Change) -> list[str]:
    services = f", {counted(len(change.services), 'Service')}" if change.services else ""
    return _wrapped("   - ", f"{change.says} ({change.name}{services})")


def _change(number: int, change: Change) -> Iterator[str]:
    yield from _wrapped(f"{number}. ", title(change))
    if change.why:
        yield from _wrapped("   Why: ", change.why)
    if change.how_often:
        yield from _wrapped("   By chance: ", change.how_often)
    if change.advice:
        yield from _wrapped("   Do: ", change.advice)
    for each in shown(where for seen in change.services.values() for where in seen):
        yield from _wrapped("   At: ", each)
    if change.services:
        names = [str(each) for each in itertools.islice(change.services, _NAMES)]
        more = len(change.services) - len(names)
        listed = ", ".join(names) + (f" and {more:,} more" if more else "")
        yield from _wrapped(f"   {counted(len(change.services), 'Service')}: ", listed)
    sources = [each.text for each in change.sources[:_SOURCES]]
    requirements = ", ".join(change.requirements[:_SOURCES])
    yield from _wrapped("   Source: ", f"{'; '.join(sources)} ({requirements})")


def _wrapped(first: str, text: str) -> list[str]:
    indent = " " * min(len(first), len("   Why: "))
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
