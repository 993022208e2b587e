"""The command line of a rehearsal: checked out here, run in the sandbox."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from urllib3.exceptions import HTTPError

from clusters import program, sandbox
from clusters.build import artifacts
from clusters.implementation import load
from clusters.vm.supply import Machines, supply
from foretell import configuration
from foretell.manifests import cluster
from foretell.manifests.text import of_file
from launch.migration import Migration
from specification.errors import ManifestError, SuiteError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clusters.implementation import Implementation
    from specification.services import ServiceSpec

_ERROR: Final = 2

_DESCRIPTION: Final = """\
Switches a node of its own from one mode of kube-proxy to another and back, again and again and in
several ways, under traffic: flows that stay open and new connections all the time, by every
frontend, from pods here and elsewhere, from outside and from the node. It accounts for all of them,
for what is left in the kernel afterwards, and says in which order to do it."""

_EPILOG: Final = """\
It writes results/<start>-migrate-<id>/migration.html (works offline) and switches.jsonl (the facts,
one JSON object a line).

exit codes:
  0  after every switch Services were served as is right
  1  after some they were not
  2  not rehearsed to the end: bad input, or something could not be set up; one line says what

examples:
  ./conform migrate --from iptables --to nftables
  ./conform migrate --from ipvs --to nftables --repetitions 5
  ./conform migrate --from iptables --to nftables --services services.yaml --config kube-proxy.yaml
"""


def main(arguments: Sequence[str]) -> int:
    """Check the options, enter a sandbox, rehearse there; the exit code."""
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"  # where nft, iptables and ip live
    parser = Migration.parser(
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--located", help=argparse.SUPPRESS)
    try:
        option = parser.parse_args(arguments)
        asked = Migration.of(option).resolved(Path.cwd())
        asked.check()
        if option.located is None or not sandbox.inside():
            located = json.dumps(_locate(asked))
            sandbox.enter([sys.executable, "-m", "migrate", *arguments, "--located", located])
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        from migrate.run import rehearse  # with all that it takes to have a node

        given = configuration.of_both(asked.config), listed_services(asked)
        return rehearse(Chosen.of(asked, json.loads(option.located)), *given, arguments[:-2])
    except SuiteError as problem:
        print(f"conform: {problem}", file=sys.stderr)
    except HTTPError as problem:
        print(
            f"conform: the API server does not answer ({problem}); this machine is too busy",
            file=sys.stderr,
        )
    except KeyboardInterrupt:
        print("conform: interrupted before anything was switched", file=sys.stderr)
    return _ERROR


@dataclass(frozen=True)
class Chosen:
    """What is asked for, and what `_locate` has found for it."""

    asked: Migration
    seed: int
    implementation: Implementation
    version: str
    binaries: dict[str, Path]
    machines: Machines | None

    @classmethod
    def of(cls, asked: Migration, located: dict[str, Any]) -> Chosen:
        """All of it, in the sandbox."""
        binaries = {name: Path(path) for name, path in located["binaries"].items()}
        judged = program.judged(load(asked.implementation), binaries["proxy"])
        version, machines = judged.version.removeprefix("v"), located["machines"]
        return cls(
            replace(asked, seed=located["seed"]),
            located["seed"],
            load(asked.implementation).of(version),
            version,
            binaries,
            machines and Machines.of_record(machines),
        )


def _locate(asked: Migration) -> dict[str, Any]:
    """Find or build what is needed, out here, and say where it is."""
    chosen = load(asked.implementation)
    modes = program.modes(chosen, f"{asked.before},{asked.after}")
    for mode in modes:
        program.check_tools(chosen, mode)
        if "kube-proxy-modes" not in chosen.claimed(mode):
            raise UsageError(f"{chosen.name} cannot be switched from mode to mode by a rehearsal")
    configuration.of_both(asked.config)
    listed_services(asked)
    proxy = program.locate(chosen, asked.proxy_binary, asked.proxy_version)
    program.judged(chosen, proxy)
    binaries = {**artifacts.ensure(["etcd", "kube-apiserver"]), "proxy": proxy}
    machines = supply(chosen, modes, asked.node, asked.kernel, asked.modules)
    return {
        "seed": secrets.randbelow(1 << 31) if asked.seed is None else asked.seed,
        "binaries": {name: str(path) for name, path in binaries.items()},
        "machines": machines and machines.as_record(),
    }


def listed_services(asked: Migration) -> tuple[ServiceSpec, ...]:
    """The Services of the file, none where there is none."""
    if not asked.services:
        return ()
    if found := cluster.read(of_file(asked.services)).services:
        return found
    raise ManifestError(f"{asked.services}: has no Service that a proxy serves")
