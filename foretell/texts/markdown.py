"""As Markdown: a list of changes, and a table of Services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.census.manifest import manifest
from foretell.shapes import NODE
from foretell.texts.wording import counted, headline, shown, summary, title

if TYPE_CHECKING:
    from collections.abc import Iterator

    from foretell.foretold import Change, Foretold


def told(found: Foretold) -> str:
    """All of it."""
    lines = [f"# {headline(found)}", "", summary(found)]
    lines += [f"Assumed: {each}." for each in found.cluster.assumed]
    for number, each in enumerate(found.changes, start=1):
        lines += ["", *_change(number, each)]
    concerned = [each for each in found.certain if each.services]
    if concerned:
        lines += ["", "## Services", "", "| Service | changes |", "|---|---|"]
        numbers = {id(each): number for number, each in enumerate(found.changes, start=1)}
        for name in sorted(found.concerned):
            told = ", ".join(
                f"[{numbers[id(each)]}](#{numbers[id(each)]}-{each.name})"
                for each in concerned
                if name in each.services
            )
            lines.append(f"| {name} | {told} |")
    if not found.certain:
        lines += ["", "Nothing changes."]
    return "\n".join(lines)


def _change(number: int, change: Change) -> Iterator[str]:
    yield f"## {number}. {change.name}"
    yield ""
    yield title(change)
    for word, text in (("Why", change.why), ("By chance", change.how_often), ("Do", change.advice)):
        if text:
            yield ""
            yield f"**{word}**: {text}"
    where = shown(each for seen in change.services.values() for each in seen)
    if where:
        yield ""
        yield from (f"- {each}" for each in where)
    yield ""
    sources = (f"[{each.text}]({each.url})" for each in change.sources)
    said = "whoever runs it" if change.everywhere else counted(len(change.services), "Service")
    yield f"Concerns {said}. Requirements: {', '.join(change.requirements)}. {'; '.join(sources)}"
    if change.example:
        yield ""
        yield "<details><summary>The simplest of them</summary>"
        yield ""
        yield "```yaml"
        yield manifest(change.example, NODE).rstrip()
        yield "```"
        yield ""
        yield "</details>"
