"""The command that repeats one result."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from launch import invocation
from specification.errors import UsageError

AND: Final = " && "
"""What stands between the commands that repeat the shards of a joined file."""

if TYPE_CHECKING:
    from reports.model.run import Run
    from reports.records.results import Result


def reproduce(run: Run, result: Result) -> str:
    """The command that repeats a result, made from the one that repeats its run (or shard); that
    one itself where nothing says which test it was.
    """
    origin = run.header.origin(result.mode)
    for command in origin.reproduce.split(AND):
        with contextlib.suppress(ValueError, UsageError):
            asked = invocation.Run.recorded(command)
            if result.nodeid and origin.mode in asked.modes.split(","):
                return asked.only(origin.mode, result.nodeid).command()
    return origin.reproduce
