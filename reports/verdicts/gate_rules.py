"""The rules of the gate: defaults, and what a user's TOML file says otherwise."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import msgspec

from reports.records.base import Part, made
from specification.errors import ResultFileError
from specification.features import Level


class Latency(Part, frozen=True):
    """When numbers are judged to be worse."""

    ratio: Annotated[float, msgspec.Meta(ge=1)]
    confidence: Annotated[float, msgspec.Meta(ge=0.5, lt=1)]
    figures: tuple[str, ...]
    samples: Annotated[int, msgspec.Meta(ge=2)]


class Rules(Part, frozen=True):
    """What a candidate must not do; gate.toml explains each."""

    newly_failing: tuple[Level, ...]
    lost_features: bool
    fewer_tests: bool
    surviving_mutants: bool
    same_suite: bool
    latency: Latency


def load(path: Path | None = None) -> Rules:
    """The default rules, with those of a file in their place.

    Raises ResultFileError, one line long, for a file that cannot be read and for a rule that is
    unknown or of the wrong kind.
    """
    rules = tomllib.loads(files("reports.verdicts").joinpath("gate.toml").read_text("utf-8"))
    if path is not None:
        given = _given(path)
        numbers = given.get("latency", {})
        if not isinstance(numbers, dict):
            raise ResultFileError(f"{path}: latency is {numbers!r:.40}, no table [latency]")
        rules |= given | {"latency": rules["latency"] | numbers}
    remedy = "reports/verdicts/gate.toml has every rule, and says what it may be"
    return made(rules, Rules, str(path), remedy)


def _given(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ResultFileError(f"{path}: no rules can be read from it: {error}") from error
