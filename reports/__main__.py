"""What reads results, on the command line: `python -m reports --help`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reports import model, render, terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_LATEST = "results/latest"


def _render(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m reports",
        description="Write report.html and junit.xml of a run again and print its summary.",
        epilog="Exit code: 0 the run conforms, 1 it does not, 2 it could not judge or the file is "
        "bad. Other uses, each with its own --help: "
        + ", ".join(f"python -m reports {name}" for name in _COMMANDS)
        + ". `validate FILE` checks a result file against the published schema "
        "(reports/schema.json): 0 valid, 2 not.",
    )
    parser.add_argument(
        "folder",
        nargs="?",
        default=_LATEST,
        help="folder of a run, or its results.jsonl (default: %(default)s)",
    )
    _colour_option(parser)
    options = parser.parse_args(arguments)
    folder = Path(options.folder)
    if folder.name == "results.jsonl":
        folder = folder.parent
    run = render.render(folder)
    page = folder / render.HTML
    print(terminal.summary(run, colour=_colour(options), report=page))
    return run.exit_code


def _validate(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m reports validate",
        description="Check a result file against the published schema (reports/schema.json).",
    )
    parser.add_argument("file", help="a results.jsonl, or the folder of a run")
    file = parser.parse_args(arguments).file
    print(f"{file}: valid, {model.validate(file)} records")
    return 0


def _compare(arguments: Sequence[str]) -> int:
    from reports import compare_html, compare_terminal, document, junit, markdown  # noqa: PLC0415
    from reports.comparison import compare  # noqa: PLC0415

    parser = argparse.ArgumentParser(
        prog="conform compare",
        description="Set runs side by side, mode by mode: verdicts, what differs and why, latency "
        "and cost, which mode to take. Give one run to compare its modes, several to compare "
        "versions, proxies or kernels, and benches (./conform bench) for the curves.",
        epilog="Files may be compressed (.gz, .xz); - writes to standard output. Exit code: 0, or "
        "2 where a file is bad.",
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folder or file of a run or bench")
    parser.add_argument("--html", default="compare.html", metavar="FILE", help="(%(default)s)")
    parser.add_argument("--markdown", metavar="FILE", help="for a pull request; under 1 MiB")
    parser.add_argument("--json", metavar="FILE", help="as reports/comparison.schema.json says")
    parser.add_argument("--junit", metavar="FILE", help="a test suite for each column")
    _colour_option(parser)
    options = parser.parse_args(arguments)
    comparison = compare([Path(run) for run in options.runs])
    texts = {
        options.html: lambda: compare_html.render(comparison, Path(options.html).parent),
        options.markdown: lambda: markdown.render(comparison),
        options.json: lambda: document.render(comparison),
        options.junit: lambda: junit.compared(comparison),
    }
    wanted = [name for name in texts if name]
    for name in wanted:
        _write(name, texts[name]())
    if "-" not in wanted:
        print(compare_terminal.summary(comparison, colour=_colour(options), wrote=wanted))
    return 0


def _write(name: str, content: str) -> None:
    """Write a report, `-` to standard output. Raises ResultFileError."""
    if name == "-":
        sys.stdout.write(content)
    else:
        render.write(Path(name), content)


def _colour_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--colour",
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="(default: auto)",
    )


def _colour(options: argparse.Namespace) -> bool:
    return options.colour == "always" or (
        options.colour == "auto" and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    )


_COMMANDS: Final[Mapping[str, Callable[[Sequence[str]], int]]] = {
    "validate": _validate,
    "compare": _compare,
}


def main(arguments: list[str]) -> int:
    """Do what the command line says; the exit code."""
    try:
        if arguments and arguments[0] in _COMMANDS:
            return _COMMANDS[arguments[0]](arguments[1:])
        return _render(arguments)
    except model.ResultFileError as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
