"""What is to be run: which implementations, each with the run of the suite that judges it."""

from __future__ import annotations

import dataclasses
import itertools
import secrets
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clusters import implementation, program
from fixtures.plugin import options
from launch.invocation import Run
from launch.launcher import named, runnable
from specification.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clusters.implementation import Implementation
    from clusters.program import Judged

_OF_ONE = ("proxy_binary", "proxy_version", "kind_cluster", "coverage", "keep")
"""Options that can only be about a single proxy, or stop before the next one."""

_COMMAND = "./conform"


@dataclass(frozen=True)
class Part:
    """An implementation, and the run that judges it."""

    implementation: Implementation
    run: Run
    words: tuple[str, ...]
    """What else is handed to pytest."""
    judged: Judged | None
    """Its program; ``None`` on kind nodes, whose pods alone know."""

    @property
    def told(self) -> str:
        """What it is, in the words of progress and errors."""
        version = f" {self.judged.version}" if self.judged else ""
        return f"{self.implementation.name}{version}"

    def argv(self, results: Path) -> list[str]:
        """The words of its command line, for runs that are written to ``results``."""
        return [*dataclasses.replace(self.run, results=str(results)).argv(), *self.words]

    @property
    def again(self) -> str:
        """The command that runs it alone."""
        return shlex.join([_COMMAND, *self.run.lasting().argv(), *self.words])


def parsed(arguments: Sequence[str]) -> tuple[Part, ...]:
    """What words of a command line ask for, in the order in which implementations are named; every
    part has the same seed. What is missing is built, before anything is run.

    Raises UsageError, ImplementationError, ArtifactError: one of them makes no sense, or cannot be
    run here.
    """
    parser = Run.parser(add_help=False, conflict_handler="resolve")
    parser.add_argument("--implementation", action="append", default=[], dest="several")
    found, words = parser.parse_known_args(arguments)
    seed = secrets.randbelow(1 << 31) if found.seed is None else found.seed
    run = dataclasses.replace(Run.of(found), seed=seed)
    for name in _OF_ONE:
        if getattr(run, name):
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(f"{flag} is for one implementation: it does not go with several")
    asked = [
        dataclasses.replace(run, implementation=each).resolved(Path.cwd()) for each in found.several
    ]
    for each in asked:
        each.check()
    chosen = [implementation.load(each.implementation) for each in asked]
    _tell_apart(chosen)
    _know_modes(chosen, run.modes)
    parts = [_part(*each, named(words)) for each in zip(asked, chosen, strict=True)]
    return tuple(map(_located, parts))


def _tell_apart(chosen: Sequence[Implementation]) -> None:
    """Refuse implementations whose columns would be called the same."""
    for one, other in itertools.combinations(chosen, 2):
        if one.path == other.path:
            raise UsageError(f"{one.name} was given twice: give each implementation once")
        if one.name == other.name:
            raise UsageError(f"two implementations are called {one.name}: {one.path}, {other.path}")


def _know_modes(chosen: Sequence[Implementation], modes: str) -> None:
    """Refuse modes that nobody has."""
    for mode in filter(None, modes.split(",")):
        if not any(mode in each.modes for each in chosen):
            known = "; ".join(f"{each.name} has {', '.join(each.modes)}" for each in chosen)
            raise UsageError(f"none of them has a mode {mode!r}: {known} (--modes)")


def _part(asked: Run, chosen: Implementation, words: Sequence[str]) -> Part:
    """Of the modes that are named, each implementation runs those that it has: one at least."""
    modes = asked.modes
    if own := [mode for mode in modes.split(",") if mode in chosen.modes]:
        modes = ",".join(own)
    elif not modes and asked.implementation == Run().implementation:
        modes = ",".join(runnable(asked.provider))
    run = dataclasses.replace(asked, modes=",".join(program.modes(chosen, modes)))
    options.checked(run)
    return Part(chosen, run, tuple(words), None)


def _located(part: Part) -> Part:
    """The same with its program."""
    if part.run.provider != Run().provider:
        return part
    found = program.judged(part.implementation, program.locate(part.implementation))
    return dataclasses.replace(part, judged=found)
