"""Objects in YAML and JSON, one after another, each with the place where it stands.

A cluster's Services are tens of megabytes of YAML. Nothing is kept of them but the object at hand,
so they are built here from libyaml's events.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from specification.errors import ManifestError

Object = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where something stands in what was handed in."""

    source: str
    """The name of a file, or what else it came by."""
    line: int = 0
    """Counted from 1; 0 where that is not known."""
    item: int = 0
    """In a List, counted from 1; 0 elsewhere."""

    def __str__(self) -> str:
        if self.line:
            return f"{self.source}:{self.line}"
        return f"{self.source}, item {self.item}" if self.item else self.source


def objects(content: bytes, source: str) -> Iterator[tuple[Place, Object]]:
    """All objects of a text of YAML or JSON: its documents, and those of its Lists. A member that
    is null is none, as for the API server.

    Raises:
        ManifestError: the text is neither, or holds what is no object.
    """
    if content.lstrip()[:1] == b"{":
        yield from _of_json(content, source)
        return
    try:
        yield from _Reader(content, source).documents()
    except yaml.MarkedYAMLError as problem:
        line = problem.problem_mark.line + 1 if problem.problem_mark else 0
        raise ManifestError(f"{Place(source, line)}: {problem.problem or problem}") from problem
    except yaml.YAMLError as problem:  # of bytes that are no text
        raise ManifestError(f"{source}: no YAML: {' '.join(str(problem).split())}") from problem


def of_file(name: str) -> Iterator[tuple[Place, Object]]:
    """All objects of a file.

    Raises:
        ManifestError: it cannot be read, or see ``objects``.
    """
    try:
        content = Path(name).read_bytes()
    except OSError as problem:
        raise ManifestError(f"{name} cannot be read: {problem.strerror}") from problem
    yield from objects(content, name)


def _of_json(content: bytes, source: str) -> Iterator[tuple[Place, Object]]:
    try:
        found = _without_nulls(msgspec.json.decode(content))
    except msgspec.DecodeError as problem:
        at = re.search(r"\(byte (\d+)\)", str(problem))
        line = content.count(b"\n", 0, int(at[1])) + 1 if at else 0
        raise ManifestError(f"{Place(source, line)}: no JSON: {problem}") from problem
    listed = found.get("items")
    if not isinstance(listed, list):
        yield Place(source), found
        return
    for number, each in enumerate(listed, start=1):
        place = Place(source, item=number)
        if not isinstance(each, dict):
            raise ManifestError(f"{place}: an object is needed, not {each!r:.60}")
        yield place, each


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value


class _Reader:
    """Builds objects from the events of a parser."""

    def __init__(self, content: bytes, source: str) -> None:
        parser = yaml.CSafeLoader(content)
        self._next: Callable[[], Any] = parser.get_event
        self._source = source
        self._anchors: dict[str, Any] = {}

    def documents(self) -> Iterator[tuple[Place, Object]]:
        """See ``objects``."""
        while not isinstance(event := self._next(), yaml.StreamEndEvent):
            if isinstance(event, yaml.MappingStartEvent):
                yield from self._members(event)
            elif isinstance(event, yaml.DocumentStartEvent):
                self._anchors.clear()
            elif not isinstance(event, yaml.StreamStartEvent | yaml.DocumentEndEvent):
                self._demand_nothing(event)

    def _members(self, start: Any) -> Iterator[tuple[Place, Object]]:
        """The object that starts here, or those that it lists."""
        made: Object = {}
        listed = False
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key, value = self._value(event), self._next()
            if key == "items" and isinstance(value, yaml.SequenceStartEvent):
                listed = True
                while not isinstance(event := self._next(), yaml.SequenceEndEvent):
                    if not isinstance(event, yaml.MappingStartEvent):
                        raise ManifestError(f"{self._at(event)}: an object is needed here")
                    yield self._at(event), self._mapping()
            elif (made_of := self._value(value)) is not None:
                made[key] = made_of
        if not listed:
            yield self._at(start), made

    def _value(self, event: Any) -> Any:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            made = _resolved(event.value) if event.implicit[0] else event.value
        elif kind is yaml.MappingStartEvent:
            made = self._mapping()
        elif kind is yaml.SequenceStartEvent:
            made = []
            while type(inner := self._next()) is not yaml.SequenceEndEvent:
                made.append(self._value(inner))
        elif event.anchor in self._anchors:  # an alias
            return self._anchors[event.anchor]
        else:
            raise ManifestError(f"{self._at(event)}: nothing is called *{event.anchor}")
        if event.anchor:
            self._anchors[event.anchor] = made
        return made

    def _mapping(self) -> Object:
        made: Object = {}
        while type(event := self._next()) is not yaml.MappingEndEvent:
            key = self._value(event)
            if type(key) is not str:
                raise ManifestError(f"{self._at(event)}: a name is needed here, not {key!r:.60}")
            if key == "<<":
                raise ManifestError(
                    f"{self._at(event)}: merge keys (<<) are not read: write it out"
                )
            if (value := self._value(self._next())) is not None:
                made[key] = value
        return made

    def _demand_nothing(self, event: Any) -> None:
        """An empty document is none; anything else is no object."""
        empty = isinstance(event, yaml.ScalarEvent) and not event.value
        if not empty:
            raise ManifestError(f"{self._at(event)}: an object is needed here")

    def _at(self, event: Any) -> Place:
        return Place(self._source, event.start_mark.line + 1)


_WORDS: Final = {
    "": None,
    "~": None,
    "null": None,
    "true": True,
    "false": False,
    "True": True,
    "False": False,
}
_NUMBER: Final = re.compile(r"[-+]?\d+")


@functools.lru_cache(maxsize=1 << 16)
def _resolved(text: str) -> str | int | bool | None:
    """What a plain scalar stands for, of all that stands in a Service (YAML 1.2, core schema)."""
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _NUMBER.fullmatch(text) else text
