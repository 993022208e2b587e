"""The command that repeats one result."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from reports.model.run import Result, Run


def reproduce(run: Run, result: Result, folder: Path | None = None) -> str:
    """The command that repeats a result: what its evidence says, else its test with the run's seed.

    `folder` is the run's folder, in which evidence is looked for.
    """
    if folder is not None and result.evidence is not None:
        try:
            said = (folder / result.evidence / "reproduce.txt").read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            said = ""
        if said:
            return said
    if not result.nodeid:
        return run.header.reproduce
    command = ["pytest", result.nodeid, "--modes", result.mode]
    if run.header.seed is not None:
        command += ["--seed", str(run.header.seed)]
    return shlex.join(command)
