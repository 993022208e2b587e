"""Render a finished run again, or check a result file: `python -m reports --help`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from reports import model, render, terminal

_LATEST = "results/latest"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reports",
        description="Write report.html and junit.xml of a run again and print its summary.",
        epilog="Exit code: 0 the run conforms, 1 it does not, 2 it could not judge or the file is "
        "bad. A second use, `python -m reports validate FILE`, checks a result file against the "
        "published schema (reports/schema.json): 0 valid, 2 not.",
    )
    parser.add_argument(
        "folder",
        nargs="?",
        default=_LATEST,
        help="folder of a run, or its results.jsonl (default: %(default)s)",
    )
    parser.add_argument(
        "--colour",
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="(default: auto)",
    )
    return parser


def _validator() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reports validate",
        description="Check a result file against the published schema (reports/schema.json).",
    )
    parser.add_argument("file", help="a results.jsonl, or the folder of a run")
    return parser


def main(arguments: list[str]) -> int:
    """Do what the command line says; the exit code."""
    try:
        if arguments[:1] == ["validate"]:
            file = _validator().parse_args(arguments[1:]).file
            records = model.validate(file)
            sys.stdout.write(f"{file}: valid, {records} records\n")
            return 0
        options = _parser().parse_args(arguments)
        folder = Path(options.folder)
        if folder.name == "results.jsonl":
            folder = folder.parent
        run = render.render(folder)
    except model.ResultFileError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    colour = options.colour == "always" or (
        options.colour == "auto" and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    )
    sys.stdout.write(terminal.summary(run, colour=colour, report=folder / render.HTML) + "\n")
    return run.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
