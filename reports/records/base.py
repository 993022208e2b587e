"""What every record is made of. A record is written once: its class is reader, writer and schema.

Text after a field describes it in the schema too: see schema.py.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from types import UnionType
from typing import Annotated, Any, Final, NamedTuple, TypeVar, overload

import msgspec

from specification.errors import ResultFileError, misfit

T = TypeVar("T")

Text = Annotated[str, msgspec.Meta(min_length=1)]
Mode = Text
Count = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Digest = Annotated[str, msgspec.Meta(pattern="^sha256:[0-9a-f]{64}$")]

_USELESS: Final = "no report can be made of this file"

# pytest and the proxies colour their output; a report brings its own colours.
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


class Interval(NamedTuple):
    """Bounds around a value that was observed, not computed; `high` is infinite when never seen."""

    low: float
    high: float


def quantile(samples: Sequence[Interval], share: float) -> Interval:
    """The empirical quantile of the lower ends and of the upper ends: the true one lies between."""
    position = max(math.ceil(share * len(samples)) - 1, 0)
    return Interval(
        sorted(sample.low for sample in samples)[position],
        sorted(sample.high for sample in samples)[position],
    )


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Part of a record."""


class Record(Part, frozen=True, tag_field="type"):
    """One line of a file: an object whose `type` says which record it is."""


class Suite(Part, frozen=True):
    """The suite that judged, or measured."""

    name: str
    version: str
    commit: str = ""
    """Git commit of the suite, when known; followed by -modified- and a digest where files of the
    checkout were changed or untracked.
    """


class Implementation(Part, frozen=True):
    """A Service proxy."""

    name: str
    version: str = ""
    binary: str = ""
    """Name of its executable."""
    sha256: str = ""
    """Checksum of its executable."""
    organization: str = ""
    """Whose it is."""
    url: str = ""
    """Where it is described."""
    contact: tuple[str, ...] = ()
    """Whom to ask about it."""

    @property
    def subject(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}".strip() or "unknown implementation"


def one_of(words: Iterable[str]) -> msgspec.Meta:
    """What a schema says of text that is one of these."""
    return msgspec.Meta(extra_json_schema={"enum": list(words)})


def plain(text: str) -> str:
    """Text without terminal colours."""
    return _ANSI.sub("", text)


@overload
def made(values: object, kind: type[T], where: str, remedy: str = ...) -> T: ...
@overload
def made(values: object, kind: UnionType, where: str, remedy: str = ...) -> Any: ...
def made(values: object, kind: Any, where: str, remedy: str = _USELESS) -> Any:
    """What JSON values hold, as a record or part of one: null is as good as nothing there, and in a
    list of numbers, where JSON knows no infinity, it is that.

    Raises ResultFileError, which says `where`, what does not fit, and the `remedy`.
    """
    try:
        return msgspec.convert(_known(values), kind)
    except msgspec.ValidationError as error:
        raise wrong(where, misfit(error, values), remedy) from error


def wrong(where: str, problem: str, remedy: str = _USELESS) -> ResultFileError:
    """The error for a problem in a record, with the place where it stands."""
    return ResultFileError(f"{where}: {problem}; {remedy}")


def values(record: object) -> Any:
    """A record, or whatever else is made of classes, as JSON values: what `made` reads."""
    return _finite(msgspec.to_builtins(record, enc_hook=lambda value: value.tolist()))


def _known(value: object) -> object:
    match value:
        case dict():
            return {key: _known(item) for key, item in value.items() if item is not None}
        case list():
            return [math.inf if item is None else _known(item) for item in value]
    return value


def _finite(value: object) -> object:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
    return value
