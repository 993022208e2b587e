"""What several machines share: a shard for each release and mode, the same by the same command line
and suite wherever it is read.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clusters import program
from clusters.implementation import load
from specification.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch.invocation import Run
    from releases.plan import Asked


@dataclass(frozen=True)
class Shard:
    """A release in a mode."""

    number: int
    """Counted from 0, as the pods of an Indexed Job are."""
    run: Run

    def of(self, version: str) -> bool:
        """Whether it is of a release."""
        return self.run.proxy_version == version

    @property
    def told(self) -> str:
        """Which it is, in the words of progress and errors."""
        return f"shard {self.number} ({self.run.proxy_version}, {self.run.modes} mode)"


def of(asked: Asked, commit: str) -> tuple[Shard, ...]:
    """The shards of a command line: its releases in their order, each in every mode.

    Raises UsageError where they would not be the same on every machine.
    """
    if not commit:
        raise UsageError("shards are joined by the suite's commit, and here is no git checkout")
    if alone := [*asked.binaries, *(word for word in words(asked) if word.startswith("/"))]:
        raise UsageError(f"{alone[0]} is on this machine alone: name what every shard can have")
    if len(set(asked.versions)) < len(asked.versions):
        raise UsageError("a release was given twice: give each release once")
    modes = program.modes(load(asked.run.implementation), asked.run.modes)
    runs = [
        dataclasses.replace(asked.run, proxy_version=version, modes=mode)
        for version in asked.versions
        for mode in modes
    ]
    return tuple(Shard(number, run) for number, run in enumerate(runs))


def chosen(asked: Asked, commit: str) -> Shard:
    """The one that ``--shard`` names. Raises UsageError."""
    shards = of(asked, commit)
    for shard in shards:
        if shard.number == asked.shard:
            return shard
    raise UsageError(f"there is no shard {asked.shard}: they are 0 to {len(shards) - 1}")


def words(asked: Asked) -> list[str]:
    """The words of a command line, after ``./conform``, that has the same shards elsewhere."""
    run = dataclasses.replace(asked.run.lasting(), numprocesses=asked.run.numprocesses)
    return ["releases", *asked.versions, *run.argv()]


def again(asked: Asked, shard: Shard) -> str:
    """The command that runs a shard."""
    return shlex.join(["./conform", *words(asked), "--shard", str(shard.number)])


def matrix(shards: Sequence[Shard]) -> str:
    """What the jobs of a GitHub workflow are made of by ``fromJSON``."""
    jobs = [
        {"shard": each.number, "release": each.run.proxy_version, "mode": each.run.modes}
        for each in shards
    ]
    return json.dumps({"include": jobs})
