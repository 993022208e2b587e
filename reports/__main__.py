"""What reads results, on the command line: `python -m reports --help`."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from reports import render
from reports.model.run import read
from reports.texts import terminal
from specification.errors import ResultFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_RESULTS = Path(__file__).parents[1] / "results"
_LATEST = str(_RESULTS / "latest")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, and the exit code of bad input."""
        self.exit(2, f"{self.prog}: {message} ({self.prog} --help)\n")


def _render(arguments: Sequence[str]) -> int:
    parser = _Parser(
        prog="python -m reports",
        description="Write report.html and junit.xml of a run again and print its summary.",
        epilog="Exit code: 0 the run conforms, 1 it does not, 2 it could not judge or the file is "
        "bad. Other uses, each with its own --help: "
        + ", ".join(f"python -m reports {name}" for name in _COMMANDS)
        + ". `validate FILE` checks a result file by its schema: 0 valid, 2 not.",
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
    return _rendered(folder, options)


def _validate(arguments: Sequence[str]) -> int:
    parser = _Parser(
        prog="python -m reports validate",
        description="Check that a result file is whole, and every record as the schema says.",
    )
    parser.add_argument("file", help="a results.jsonl, or the folder of a run")
    file = parser.parse_args(arguments).file
    print(f"{file}: valid, {read(file).end.lines + 1} records")
    return 0


def _schema(arguments: Sequence[str]) -> int:
    from reports.schemas import SCHEMAS, schema  # noqa: PLC0415

    parser = _Parser(
        prog="python -m reports schema",
        description="Print the JSON Schema of a line of a file, or of a document.",
    )
    parser.add_argument("name", choices=SCHEMAS)
    print(json.dumps(schema(parser.parse_args(arguments).name), indent=2))
    return 0


def _compare(arguments: Sequence[str]) -> int:
    from reports.model.comparison import compare  # noqa: PLC0415
    from reports.pages import comparison_page  # noqa: PLC0415
    from reports.texts import comparison_json, comparison_terminal, junit, markdown  # noqa: PLC0415

    parser = _Parser(
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
    parser.add_argument(
        "--json", metavar="FILE", help="as reports/texts/comparison.schema.json says"
    )
    parser.add_argument("--junit", metavar="FILE", help="a test suite for each column")
    _colour_option(parser)
    options = parser.parse_args(arguments)
    comparison = compare([Path(run) for run in options.runs])
    texts = {
        options.html: lambda: comparison_page.render(comparison, Path(options.html).parent),
        options.markdown: lambda: markdown.render(comparison),
        options.json: lambda: comparison_json.render(comparison),
        options.junit: lambda: junit.compared(comparison),
    }
    wanted = [name for name in texts if name]
    for name in wanted:
        _write(name, texts[name]())
    if "-" not in wanted:
        print(comparison_terminal.summary(comparison, colour=_colour(options), wrote=wanted))
    return 0


def _table(arguments: Sequence[str]) -> int:
    from reports.table import markdown, page, picture, rows  # noqa: PLC0415

    parser = _Parser(
        prog="conform table",
        description="Write the table of implementations: versions and modes by areas, each with "
        "the command that repeats it. What was not run to its end, or not at all, passes nowhere.",
        epilog="Writes table.md, table.svg, table.html. Exit code: 0, or 2 where a file is bad.",
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folder or result file of a run")
    parser.add_argument("-o", "--output", default=".", metavar="FOLDER", help="(this folder)")
    options = parser.parse_args(arguments)
    found = rows.table([Path(run) for run in options.runs])
    folder = Path(options.output)
    with contextlib.suppress(OSError):  # who writes there says what is wrong
        folder.mkdir(parents=True, exist_ok=True)
    for form, content in (
        ("md", markdown.render(found)),
        ("svg", picture.render(found)),
        ("html", page.render(found)),
    ):
        render.write(folder / f"table.{form}", content)
        print(f"Wrote: {folder}/table.{form}")
    print(found.answer)
    return 0


def _gate(arguments: Sequence[str]) -> int:
    from reports.texts import gate_terminal  # noqa: PLC0415
    from reports.verdicts import gate, gate_rules  # noqa: PLC0415  scipy takes its time

    parser = _Parser(
        prog="conform gate",
        description="May this candidate be released? Hold it against a baseline: no newly failing "
        "requirement, no lost feature, no fewer tests, not proven slower.",
        epilog="The rules, and what each means: reports/verdicts/gate.toml. Numbers of another "
        "class of machine are not judged, and it says so. Exit code: 0 it passes, 1 it is "
        "stopped, 2 it cannot be judged.",
    )
    parser.add_argument(
        "--baseline", required=True, action="append", metavar="RUN", help="run or bench (repeat)"
    )
    parser.add_argument("candidate", nargs="+", metavar="CANDIDATE", help="run, and benches of it")
    parser.add_argument("--rules", metavar="FILE.toml", help="rules that differ from the defaults")
    parser.add_argument(
        "--mutants", metavar="FILE", help="kill-matrix.json that ./conform selftest has written"
    )
    parser.add_argument(
        "--baseline-mutants", metavar="FILE", help="the one of before; without it none may survive"
    )
    _colour_option(parser)
    options = parser.parse_args(arguments)
    if options.baseline_mutants and not options.mutants:
        parser.error("--baseline-mutants needs --mutants beside it")
    found = gate.judge(
        [Path(name) for name in options.baseline],
        [Path(name) for name in options.candidate],
        gate_rules.load(Path(options.rules) if options.rules else None),
        mutants=Path(options.mutants) if options.mutants else None,
        baseline_mutants=Path(options.baseline_mutants) if options.baseline_mutants else None,
    )
    print(gate_terminal.told(found, colour=_colour(options)))
    return found.exit_code


def _badge(arguments: Sequence[str]) -> int:
    from reports.texts import badge  # noqa: PLC0415

    parser = _Parser(
        prog="conform badge", description="Draw the verdict of each mode as a small SVG."
    )
    parser.add_argument("run", nargs="?", default=_LATEST, help="(default: %(default)s)")
    parser.add_argument("-o", "--output", default="-", metavar="FILE", help="(standard output)")
    options = parser.parse_args(arguments)
    _write(options.output, badge.render(read(options.run)))
    return 0


def _results(arguments: Sequence[str]) -> int:
    from reports.model import merge  # noqa: PLC0415

    parser = _Parser(prog="conform results", description="Work on result files.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    joined = commands.add_parser(
        "merge",
        help="join the shards of one run",
        description="Join result files of one suite that differ in modes, kernels or versions, or "
        "that split the requirements between them. Refuses overlaps and gaps.",
    )
    joined.add_argument("runs", nargs="+", metavar="RUN", help="folder or file of a shard")
    joined.add_argument("-o", "--output", required=True, metavar="FOLDER", help="a new folder")
    joined.add_argument(
        "--modes", default="", metavar="MODE[,MODE]", help="modes that must be there"
    )
    _colour_option(joined)
    options = parser.parse_args(arguments)
    folder = Path(options.output)
    if len(options.runs) < 2:
        raise ResultFileError("one file is no merge; give two shards or more")
    merge.merge(
        [Path(run) for run in options.runs], folder, [m for m in options.modes.split(",") if m]
    )
    return _rendered(folder, options)


def _history(arguments: Sequence[str]) -> int:
    from reports.pages import history  # noqa: PLC0415

    parser = _Parser(
        prog="conform history",
        description="Draw how verdicts and figures moved over the runs in a folder.",
    )
    parser.add_argument("folder", nargs="?", default=str(_RESULTS), help="(default: %(default)s)")
    parser.add_argument("--html", default="history.html", metavar="FILE", help="(%(default)s)")
    parser.add_argument(
        "--every", action="store_true", help="runs of a part of the requirements too"
    )
    _colour_option(parser)
    options = parser.parse_args(arguments)
    found = history.gather(Path(options.folder), every=options.every)
    _write(options.html, history.page(found))
    if options.html != "-":
        print(f"{history.told(found, colour=_colour(options))}\nWrote: {options.html}")
    return 0


def _publish(arguments: Sequence[str]) -> int:
    from reports.texts import publish  # noqa: PLC0415

    parser = _Parser(
        prog="conform publish",
        description="Write the conformance report that an implementer publishes, as YAML "
        "(reports/texts/conformance.schema.json).",
    )
    parser.add_argument("run", nargs="?", default=_LATEST, help="(default: %(default)s)")
    parser.add_argument("-o", "--output", default="-", metavar="FILE", help="(standard output)")
    parser.add_argument("--organization", default="", help="whose proxy it is")
    parser.add_argument("--url", default="", help="where it is described")
    parser.add_argument("--contact", action="append", default=[], help="whom to ask (repeat)")
    options = parser.parse_args(arguments)
    content = publish.render(
        read(options.run),
        organization=options.organization,
        url=options.url,
        contact=options.contact,
    )
    _write(options.output, content)
    return 0


def _rendered(folder: Path, options: argparse.Namespace) -> int:
    """Write the reports of a run's folder and print its summary; the run's exit code."""
    run = render.render(folder)
    print(terminal.summary(run, colour=_colour(options), report=folder / render.HTML))
    return run.exit_code


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
    "schema": _schema,
    "compare": _compare,
    "table": _table,
    "gate": _gate,
    "badge": _badge,
    "publish": _publish,
    "results": _results,
    "history": _history,
}


def main(arguments: list[str]) -> int:
    """Do what the command line says; the exit code."""
    try:
        if arguments and arguments[0] in _COMMANDS:
            return _COMMANDS[arguments[0]](arguments[1:])
        return _render(arguments)
    except ResultFileError as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
