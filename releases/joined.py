"""The runs of releases from what their shards have left, of which none may be missing."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from releases import printed, resume, shards
from reports import render
from reports.model import merge
from reports.model.run import read
from reports.records.results import RESULTS
from specification.errors import ResultFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from releases.plan import Asked


def runs(asked: Asked, commit: str, left: Path) -> list[Path]:
    """Join what the shards have left in the folder ``left``, result files at any depth and logs
    (``.log``) in which they were printed, into a run of each release; the result files of those.

    Raises ResultFileError, one line, where a shard is lost, interrupted, there twice or by another
    suite, which says how it is run again; or where something else is there.
    """
    planned = shards.of(asked, commit)
    with tempfile.TemporaryDirectory() as folder:
        commands = [each.run.lasting().command() for each in planned]
        found = _by(commands, [*_files(left), *_printed(left, Path(folder))])
        problems = {
            shard: problem
            for shard, files in zip(planned, found, strict=True)
            if (problem := _problem(files, commit, left, shards.again(asked, shard)))
        }
        if problems:
            shard, problem = next(iter(problems.items()))
            more = f", one of {len(problems)} that are not whole," if len(problems) > 1 else ""
            raise ResultFileError(f"{shard.told}{more} {problem}")
        return [
            _whole(
                [file for shard, (file,) in zip(planned, found, strict=True) if shard.of(version)],
                asked.run.written / f"v{version}",
            )
            for version in asked.versions
        ]


def _files(left: Path) -> Iterator[Path]:
    return (path for suffix in ("", ".xz") for path in sorted(left.rglob(f"{RESULTS}{suffix}")))


def _printed(left: Path, folder: Path) -> Iterator[Path]:
    """What was printed into logs, in files of a folder."""
    for log in sorted(left.rglob("*.log")):
        for number, content in enumerate(printed.read(log), start=1):
            path = folder / f"{log.relative_to(left)} no. {number}.jsonl.xz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            yield path


def _by(commands: Sequence[str], files: Sequence[Path]) -> list[list[Path]]:
    """The files that are by each of the commands; what cannot be read is by none, and lost."""
    found: dict[str, list[Path]] = {command: [] for command in commands}
    for file in files:
        command = resume.command_of(file)
        if command in found:
            found[command].append(file)
        elif command:
            raise ResultFileError(f"{file}: is of none of these shards, but by {command}")
    return list(found.values())


def _problem(files: Sequence[Path], commit: str, left: Path, again: str) -> str:
    """What a shard has instead of whole results, and the way out; empty where it has them."""
    if not files:
        return f"has no results in {left}: {again}"
    named = ", ".join(str(_within(left, file)) for file in files)
    if len(files) > 1:
        return f"has {len(files)} results in {left}, where one is wanted: {named}"
    try:
        run = read(files[0])
    except ResultFileError:
        what = "results that cannot be read"
    else:
        judge = run.header.suite.commit
        if run.end.interrupted:
            what = "results of an interrupted run"
        elif judge != commit:
            what = f"results by commit {judge or 'unknown'} of the suite, which is {commit} here"
        else:
            return ""
    return f"has {what} in {left} ({named}): take them away, and {again}"


def _within(left: Path, file: Path) -> Path | str:
    return file.relative_to(left) if file.is_relative_to(left) else file.stem.removesuffix(".jsonl")


def _whole(parts: Sequence[Path], folder: Path) -> Path:
    """A release's run, with its page, in a folder that is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    merge.merge(parts, folder)
    render.render(folder)
    return folder / RESULTS
