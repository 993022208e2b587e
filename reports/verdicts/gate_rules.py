"""The rules of the gate: defaults, and what a user's TOML file says otherwise."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from reports.records.results import LEVELS
from specification.errors import ResultFileError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Latency:
    """When numbers are judged to be worse."""

    ratio: float
    confidence: float
    figures: list[str]
    samples: int


@dataclass(frozen=True)
class Rules:
    """What a candidate must not do; gate.toml explains each."""

    newly_failing: list[str]
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
    table = tomllib.loads(files("reports.verdicts").joinpath("gate.toml").read_text("utf-8"))
    latency = table.pop("latency")
    if path is not None:
        given = _given(path)
        numbers = given.pop("latency", {})
        if not isinstance(numbers, dict):
            raise ResultFileError(f"{path}: latency is {numbers!r:.40}, no table [latency]")
        _merge(table, given, str(path))
        _merge(latency, numbers, f"{path}: [latency]")
        _check(path, table, latency)
    return Rules(**table, latency=Latency(**latency))


def _given(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ResultFileError(f"{path}: no rules can be read from it: {error}") from error


def _merge(table: dict[str, Any], given: dict[str, Any], where: str) -> None:
    for name, value in given.items():
        if name not in table:
            known = ", ".join(sorted(table))
            raise ResultFileError(f"{where}: unknown rule {name!r}; known are {known}")
        wanted = type(table[name])
        fits = type(value) is wanted or (wanted is float and type(value) is int)
        if not fits or (wanted is list and not all(isinstance(each, str) for each in value)):
            kind = {list: "a list of strings", bool: "true or false"}.get(wanted, "a number")
            raise ResultFileError(f"{where}: {name} is {value!r:.40}; {kind} is needed")
        table[name] = value


def _check(path: Path, table: dict[str, Any], latency: dict[str, Any]) -> None:
    unknown = set(table["newly_failing"]) - set(LEVELS)
    if unknown:
        raise ResultFileError(
            f"{path}: newly_failing: unknown level {min(unknown)!r}; known are {', '.join(LEVELS)}"
        )
    if not 0.5 <= latency["confidence"] < 1:
        raise ResultFileError(f"{path}: [latency]: confidence must be from 0.5 to below 1")
    if latency["ratio"] < 1:
        raise ResultFileError(f"{path}: [latency]: ratio must be at least 1")
    if latency["samples"] < 2:
        raise ResultFileError(f"{path}: [latency]: samples must be at least 2")
