"""The command line of the bench: checked out here, run in the sandbox."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import shlex
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from urllib3.exceptions import HTTPError

from clusters import sandbox
from clusters.implementation import load
from clusters.vm.supply import Machines, needs_machine, supply
from fixtures.plugin import options as suite_options
from fixtures.plugin.options import Options
from reports.records.results import ResultFileError
from specification.errors import (
    SuiteError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.journal import Journal
    from bench.plan import Plan

_ERROR: Final = 2
_ROOT: Final = Path(__file__).parents[1]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (./conform bench --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="./conform bench",
        description="Measure what each mode of the proxy costs as Services grow: first packets,"
        " sync latency, full sync, churn, connection rate, processor, memory and rules.",
        epilog="It writes results/<start>-bench-<id>/figures.jsonl after every step. When it is"
        " interrupted, the same command goes on where it was. Exit code: 0 measured, 2 not.",
        allow_abbrev=False,
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--quick",
        dest="plan",
        action="store_const",
        const="quick",
        default="default",
        help="1 to 1,000 Services, few repetitions: at most 4 minutes",
    )
    size.add_argument(
        "--full",
        dest="plan",
        action="store_const",
        const="full",
        help="up to 30,000 Services, more repetitions: hours",
    )
    parser.add_argument("--modes", help="modes to measure, comma-separated; all that run here")
    parser.add_argument(
        "--services", metavar="N[,N]", default="", help="other numbers of Services than the plan's"
    )
    parser.add_argument("--probes", type=_positive, metavar="N", help="packets of each kind")
    parser.add_argument("--repetitions", type=_positive, metavar="N", help="changes of each kind")
    parser.add_argument(
        "--minutes",
        type=_positive,
        metavar="N",
        help="repeat things less often rather than take longer (quick: 4, else 25; no"
        " limit with --full and --services)",
    )
    parser.add_argument("--implementation", default="kube-proxy", metavar="NAME|FILE.toml")
    parser.add_argument("--proxy-binary", metavar="FILE", help="this binary of it")
    parser.add_argument("--proxy-version", metavar="X.Y.Z", help="this version of kube-proxy")
    parser.add_argument(
        "--node",
        choices=["netns", "vm"],
        default="netns",
        help="what all nodes are: namespaces of this kernel, or virtual machines (for IPVS mode"
        " where this kernel has none; then all modes are measured so; where machines are"
        " emulated, with up to 1,000 Services)",
    )
    parser.add_argument("--kernel", default="", metavar="VERSION|FILE", help="that of the machines")
    parser.add_argument("--modules", metavar="FOLDER", help="with --kernel FILE: its modules")
    parser.add_argument("--seed", type=int, metavar="N", help="repeat random choices")
    parser.add_argument("--results", default="results", metavar="FOLDER")
    resume = parser.add_mutually_exclusive_group()
    resume.add_argument("--resume", metavar="FOLDER", help="go on with this interrupted bench")
    resume.add_argument(
        "--new", action="store_true", help="begin anew, even where one like this was interrupted"
    )
    parser.add_argument("--located", help=argparse.SUPPRESS)
    # what the suite has and the bench does not
    parser.set_defaults(keep=False, every_case=False, numprocesses=None)
    named = dict.fromkeys(("kind_image", "kind_cluster", "kubernetes_version"))
    parser.set_defaults(provider="embedded", **named)
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


def main(arguments: Sequence[str]) -> int:
    """Check the options, enter a sandbox, measure there; the exit code."""
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"  # where nft, iptables and ip live
    try:
        option = _parser().parse_args(arguments)
        folder = Path.cwd()
        _sizes(option.services)
        if option.resume:
            from bench.journal import unfinished

            unfinished((folder / option.resume).resolve())
        option.modes = option.modes or ",".join(_modes(option))
        chosen = suite_options.read(option, folder)
        if option.located is None or not sandbox.inside():
            option.located = _locate(option, folder, chosen)
            words = [*arguments, "--modes", option.modes, "--seed", str(option.seed)]
            words += ["--located", option.located]
            sandbox.enter([sys.executable, "-m", "bench", *words])
        located = json.loads(option.located)
        return _bench(
            option,
            dataclasses.replace(
                chosen,
                binaries={name: Path(path) for name, path in located["binaries"].items()},
                machines=located["machines"] and Machines.of_record(located["machines"]),
            ),
        )
    except SuiteError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return _ERROR
    except HTTPError as problem:
        print(
            f"error: the API server does not answer ({problem}); this machine is too busy: the same"
            " command goes on where this one was",
            file=sys.stderr,
        )
        return _ERROR


def _modes(option: argparse.Namespace) -> list[str]:
    """The modes that can be measured, with a word about the others."""
    chosen = load(option.implementation)
    if option.node == "vm":
        return list(chosen.modes)
    lacking = [mode for mode in chosen.modes if needs_machine(chosen, mode)]
    if lacking and not sandbox.inside():
        print(
            f"not in {' and '.join(lacking)} mode, which this kernel cannot run: --node vm measures"
            " all modes in virtual machines",
            file=sys.stderr,
        )
    return [mode for mode in chosen.modes if mode not in lacking]


def _locate(option: argparse.Namespace, folder: Path, chosen: Options) -> str:
    """Find or build what is needed, out here, and say where it is."""
    if option.node == "netns":
        for mode in chosen.modes:
            if needs_machine(chosen.implementation, mode):
                raise UsageError(
                    f"this kernel cannot run {mode} mode: --node vm measures all modes in virtual"
                    " machines, or leave it out of --modes"
                )
    binaries = suite_options.locate_binaries(option, folder, chosen.implementation)
    suite_options.version_of(chosen.implementation, binaries["proxy"])
    machines = supply(
        chosen.implementation, chosen.modes, chosen.node, chosen.kernel, chosen.modules
    )
    paths = {name: str(path) for name, path in binaries.items()}
    return json.dumps({"binaries": paths, "machines": machines and machines.as_record()})


def _bench(option: argparse.Namespace, chosen: Options) -> int:
    """Measure, in the sandbox."""
    # they take a second, which bad input need not wait for
    from bench import plan as plans
    from bench.runner import Runner
    from bench.sites import Sites
    from clusters.build.progress import Progress
    from reports.records.figures import read
    from reports.texts.bench_terminal import summary

    emulated = _emulated(chosen)
    plan = plans.PLANS[option.plan].cut(
        _sizes(option.services),
        option.probes,
        option.repetitions,
        option.minutes,
        emulated=emulated,
    )
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        sites = Sites(
            chosen.implementation,
            chosen.binaries,
            Path(folder),
            chosen.modes,
            chosen.machines,
            chosen.seed,
        )
        try:
            journal = _open_journal(option, chosen, plan, sites.floor.node)
            seed = int(journal.header["seed"])
            configurable = bool(chosen.implementation.config)
            todo = list(plans.tasks(plan, seed, configurable=configurable, emulated=emulated))
            with Progress("bench") as progress:
                runner = Runner(
                    sites,
                    journal,
                    todo,
                    seed,
                    progress.update,
                    minutes=plan.minutes,
                    emulated=emulated,
                )
                runner.run()
            runner.derive()
            journal.close(seconds=round(time.monotonic() - began, 1), exit=0)
        except KeyboardInterrupt:
            print("interrupted: the same command goes on where this one was", file=sys.stderr)
            return _ERROR
        finally:
            sites.close()
    print(summary(read(journal.folder), colour=sys.stdout.isatty()))
    print(f"Figures: {os.path.relpath(journal.folder)}/figures.jsonl")
    return 0


def _emulated(chosen: Options) -> bool:
    return bool(chosen.machines and chosen.machines.emulated)


def _sizes(text: str) -> list[int]:
    try:
        found = [int(part) for part in text.split(",") if part]
    except ValueError:
        found = [0]
    if any(not 1 <= size <= 60_000 for size in found):
        raise UsageError(f"--services {text!r}: give numbers from 1 to 60000, comma-separated")
    return found


def _open_journal(option: argparse.Namespace, chosen: Options, plan: Plan, node: Any) -> Journal:
    """The interrupted bench that is asked for, or the newest that is like this one, or a new."""
    from bench.journal import Journal, newest_like, unfinished

    header = _header(option, chosen, plan, node)
    if option.resume:
        folder = (Path.cwd() / option.resume).resolve()
        old, records = unfinished(folder)
        different = [name for name in _SAME if old.get(name) != header[name]]
        if different:
            raise ResultFileError(
                f"{folder}: was a bench with another {', '.join(different)}; give the options that"
                f" it was begun with: {old.get('reproduce')}"
            )
        return Journal(folder, old, records)
    found = None if option.new else newest_like(chosen.results, {n: header[n] for n in _SAME})
    if found:
        print(f"going on with {os.path.relpath(found[0])} (--new begins anew)", file=sys.stderr)
        return Journal(*found)
    return Journal(chosen.results / str(header["bench"]), header)


_SAME: Final = ("plan", "modes", "implementation", "machine", "emulated")
"""What an interrupted bench must have in common with one that goes on with it."""


def _header(option: argparse.Namespace, chosen: Options, plan: Plan, node: Any) -> dict[str, Any]:
    from bench import machine, population
    from bench import plan as plans
    from fixtures.record import fingerprint

    emulated = _emulated(chosen)
    periods = plans.periods(emulated=emulated)
    now = datetime.now(UTC)
    words = ["./conform", "bench", "--modes", ",".join(chosen.modes), "--seed", str(chosen.seed)]
    if option.plan != "default":
        words.append(f"--{option.plan}")
    if chosen.implementation.name != "kube-proxy":
        words += ["--implementation", option.implementation]
    names = (
        "services",
        "probes",
        "repetitions",
        "minutes",
        "proxy_binary",
        "proxy_version",
        "kernel",
        "modules",
    )
    for name in names:
        if getattr(option, name):
            words += [f"--{name.replace('_', '-')}", str(getattr(option, name))]
    if option.node != "netns":
        words += ["--node", option.node]
    return {
        "type": "bench",
        "schema": 1,
        "bench": f"{now:%Y%m%dT%H%M%SZ}-bench-{os.urandom(2).hex()}",
        "started": now.isoformat(timespec="milliseconds"),
        "suite": fingerprint.suite(_ROOT),
        "seed": chosen.seed,
        "command": ["./conform", "bench", *sys.argv[1 : sys.argv.index("--modes")]],
        "reproduce": shlex.join(words),
        "implementation": fingerprint.implementation(chosen),
        "modes": list(chosen.modes),
        "machine": machine.description(node),
        "emulated": emulated,
        "plan": {
            "name": plan.name,
            "sizes": list(plan.sizes),
            "probes": plan.probes,
            "repetitions": plan.repetitions,
            "minutes": plan.minutes if math.isfinite(plan.minutes) else "no limit",
            "endpoints": population.ENDPOINTS,
            **{f"minSyncPeriod {series}": period for series, period in periods.items()},
        },
    }
