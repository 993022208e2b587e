"""The command line of the bench: checked out here, run in the sandbox."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import secrets
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from urllib3.exceptions import HTTPError

from clusters import program, sandbox
from clusters.build import artifacts
from clusters.implementation import Implementation, load
from clusters.vm.supply import Machines, needs_machine, supply
from launch.invocation import Bench
from reports.records.figures import BenchHeader
from specification.errors import ResultFileError, SuiteError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.journal import Journal
    from bench.plan import Plan

_ERROR: Final = 2
_ROOT: Final = Path(__file__).parents[1]


def main(arguments: Sequence[str]) -> int:
    """Check the options, enter a sandbox, measure there; the exit code."""
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"  # where nft, iptables and ip live
    parser = Bench.parser(
        description="Measure what each mode of the proxy costs as Services grow: first packets,"
        " sync latency, full sync, churn, connection rate, processor, memory and rules.",
        epilog="It writes results/<start>-bench-<id>/figures.jsonl after every step. When it is"
        " interrupted, the same command goes on where it was. Exit code: 0 measured, 2 not.",
    )
    parser.add_argument("--located", help=argparse.SUPPRESS)
    try:
        option = parser.parse_args(arguments)
        asked = Bench.of(option).resolved(Path.cwd())
        asked.check()
        if option.located is None or not sandbox.inside():
            located = json.dumps(_locate(asked))
            sandbox.enter([sys.executable, "-m", "bench", *arguments, "--located", located])
        return _bench(Chosen(asked, json.loads(option.located)), arguments[:-2])
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


class Chosen:
    """What a bench is asked to measure, and what `_locate` has found for it."""

    def __init__(self, asked: Bench, located: dict[str, Any]) -> None:
        self.modes, self.seed = tuple(located["modes"]), int(located["seed"])
        self.asked = dataclasses.replace(asked, modes=",".join(self.modes), seed=self.seed)
        self.implementation = load(asked.implementation)
        self.binaries = {name: Path(path) for name, path in located["binaries"].items()}
        machines = located["machines"]
        self.machines = machines and Machines.of_record(machines)
        self.emulated = bool(self.machines and self.machines.emulated)


def _modes(asked: Bench, chosen: Implementation) -> tuple[str, ...]:
    """The modes to be measured: those asked for, or all that can be, with a word about others."""
    modes = program.modes(chosen, asked.modes)
    if asked.node == "vm":
        return modes
    lacking = [mode for mode in modes if needs_machine(chosen, mode)]
    if lacking and asked.modes:
        raise UsageError(
            f"this kernel cannot run {lacking[0]} mode: --node vm measures all modes in virtual"
            " machines, or leave it out of --modes"
        )
    if lacking:
        print(
            f"not in {' and '.join(lacking)} mode, which this kernel cannot run: --node vm measures"
            " all modes in virtual machines",
            file=sys.stderr,
        )
    return tuple(mode for mode in modes if mode not in lacking)


def _locate(asked: Bench) -> dict[str, Any]:
    """Find or build what is needed, out here, and say where it is."""
    if asked.resume:
        from bench.journal import unfinished

        unfinished(Path(asked.resume))
    chosen = load(asked.implementation)
    modes = _modes(asked, chosen)
    for mode in modes:
        program.check_tools(chosen, mode)
    proxy = program.locate(chosen, asked.proxy_binary, asked.proxy_version)
    program.judged(chosen, proxy)
    binaries = {**artifacts.ensure(["etcd", "kube-apiserver"]), "proxy": proxy}
    machines = supply(chosen, modes, asked.node, asked.kernel, asked.modules)
    return {
        "modes": modes,
        "seed": secrets.randbelow(1 << 31) if asked.seed is None else asked.seed,
        "binaries": {name: str(path) for name, path in binaries.items()},
        "machines": machines and machines.as_record(),
    }


def _bench(chosen: Chosen, arguments: Sequence[str]) -> int:
    """Measure, in the sandbox."""
    # they take a second, which bad input need not wait for
    from bench import plan as plans
    from bench.runner import Runner
    from bench.sites import Sites
    from clusters.build.progress import Progress
    from reports.model.bench import read
    from reports.texts.bench_terminal import summary

    asked = chosen.asked
    plan = plans.PLANS[asked.plan].cut(
        asked.sizes, asked.probes, asked.repetitions, asked.minutes, emulated=chosen.emulated
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
            journal = _open_journal(chosen, _header(chosen, arguments, plan, sites.floor.node))
            configurable = bool(chosen.implementation.config)
            todo = list(plans.tasks(plan, journal.header.seed, configurable=configurable))
            with Progress("bench") as progress:
                runner = Runner(sites, journal, todo, progress.update, minutes=plan.minutes)
                runner.run()
            runner.derive()
            journal.close(seconds=round(time.monotonic() - began, 1))
        except KeyboardInterrupt:
            print("interrupted: the same command goes on where this one was", file=sys.stderr)
            return _ERROR
        finally:
            sites.close()
    print(summary(read(journal.folder), colour=sys.stdout.isatty()))
    print(f"Figures: {os.path.relpath(journal.folder)}/figures.jsonl")
    return 0


def _open_journal(chosen: Chosen, header: BenchHeader) -> Journal:
    """The interrupted bench that is asked for, or the newest that is like this one, or a new."""
    from bench.journal import Journal, different, newest_like, unfinished

    if chosen.asked.resume:
        folder = Path(chosen.asked.resume)
        old, records = unfinished(folder)
        if differing := different(old, header):
            raise ResultFileError(
                f"{folder}: was a bench with another {', '.join(differing)}; give the options that"
                f" it was begun with: {old.reproduce}"
            )
        return Journal(folder, old, records)
    written = chosen.asked.written
    found = None if chosen.asked.new else newest_like(written, header)
    if found:
        print(f"going on with {os.path.relpath(found[0])} (--new begins anew)", file=sys.stderr)
        return Journal(*found)
    return Journal(written / header.bench, header)


def _header(chosen: Chosen, arguments: Sequence[str], plan: Plan, node: Any) -> BenchHeader:
    from bench import machine, population
    from bench import plan as plans
    from fixtures.record import fingerprint

    periods = plans.periods(emulated=chosen.emulated)
    judged = program.judged(chosen.implementation, chosen.binaries["proxy"])
    now = datetime.now(UTC)
    return BenchHeader(
        bench=f"{now:%Y%m%dT%H%M%SZ}-bench-{os.urandom(2).hex()}",
        started=now.isoformat(timespec="milliseconds"),
        suite=fingerprint.suite(_ROOT),
        seed=chosen.seed,
        command=(*Bench.COMMAND, *arguments),
        reproduce=chosen.asked.lasting().command(),
        implementation=fingerprint.implementation(chosen.implementation, judged),
        modes=tuple(chosen.modes),
        machine=dict(machine.description(node)),
        emulated=chosen.emulated,
        plan={
            "name": plan.name,
            "sizes": list(plan.sizes),
            "probes": plan.probes,
            "repetitions": plan.repetitions,
            "minutes": plan.minutes if math.isfinite(plan.minutes) else "no limit",
            "endpoints": population.ENDPOINTS,
            **{f"minSyncPeriod {series}": period for series, period in periods.items()},
        },
    )
