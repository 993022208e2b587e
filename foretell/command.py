"""The command line of foretell: read Services, hold two sides against each other, say it."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from typing import TYPE_CHECKING, Final

from foretell import anonymous, configuration, side
from foretell.foretold import foretell
from foretell.manifests import cluster
from foretell.manifests.text import objects, of_file
from foretell.texts import machine, markdown, terminal
from launch.arguments import Parser
from specification.errors import SuiteError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from foretell.configuration import Given
    from foretell.manifests.cluster import Cluster
    from foretell.manifests.text import Object, Place

_ERROR: Final = 2
_STDIN: Final = "standard input"

_HELP: Final = """\
Says which Services will be treated otherwise once another mode, another release or another proxy
serves them, or the same one with another configuration; why, and what to do about it. Offline: it
reads the objects that `kubectl get services,endpointslices,nodes -A -o yaml` prints (JSON too), or
manifests, and runs nothing. No name or address leaves the machine.

What it says comes from the specification under both descriptions, from the features that each
claims, and from the faults that each is known to have."""

_EPILOG: Final = """\
MODE is iptables, nftables or ipvs, or what another implementation calls its own. VERSION is that of
the release; without one it is the one that the suite judges.

exit codes:
  0  nothing changes
  1  something changes
  2  bad input; one line says what and where

examples:
  kubectl get services,endpointslices,nodes -A -o yaml |
      ./conform foretell --from ipvs --to nftables
  ./conform foretell --from nftables@1.34.0 --to nftables services.yaml
  ./conform foretell --from iptables --to nftables --config old.yaml --config new.yaml services.yaml
  ./conform foretell --from ipvs --to my-proxy.toml:fast services.yaml --format markdown
"""


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="conform foretell",
        description=_HELP,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    words = "[IMPLEMENTATION:]MODE[@VERSION]"
    add = parser.add_argument
    add("--from", dest="before", metavar=words, required=True, help="what serves them now")
    add("--to", dest="after", metavar=words, required=True, help="what is to serve them")
    add(
        "--config",
        metavar="FILE",
        action="append",
        default=[],
        help="the KubeProxyConfiguration of both; given twice, of the one and then of the other",
    )
    add("--service", metavar="NAMESPACE/NAME", help="only what changes for this Service")
    add("--format", choices=("text", "markdown", "json"), default="text", help="(default: text)")
    add("--anonymous", action="store_true", help="have names replaced by others")
    add(
        "files",
        metavar="FILE",
        nargs="*",
        help="YAML or JSON; without one, or for -, what is piped",
    )
    return parser


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; the exit code is one of those that the help names."""
    try:
        options = _parser().parse_args(arguments)
        before, after = side.named(options.before), side.named(options.after)
        given = _configurations(options.config)
        known = cluster.read(_objects(options.files))
        if options.service:
            known = _only(known, options.service)
        if options.anonymous:
            known = anonymous.renamed(known)
        sides = (
            side.of(*each, known.addresses) for each in zip((before, after), given, strict=True)
        )
        found = foretell(known, *sides)
    except SuiteError as problem:
        print(f"conform: {problem}", file=sys.stderr)
        return _ERROR
    except KeyboardInterrupt:
        print("conform: interrupted before all was read", file=sys.stderr)
        return _ERROR
    told = {"text": terminal.told, "markdown": markdown.told, "json": machine.told}
    _print(told[options.format](found))
    return 1 if found.certain else 0


def _print(text: str) -> None:
    """Print it, as far as anybody reads."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _configurations(files: Sequence[str]) -> tuple[Given, Given]:
    """What is given of each side."""
    if len(files) > len(("from", "to")):
        raise UsageError("--config is given once, for both, or twice (conform foretell --help)")
    return configuration.of_both(files)


def _objects(files: Sequence[str]) -> Iterator[tuple[Place, Object]]:
    for name in files or ["-"]:
        if name == "-":
            if sys.stdin.isatty():
                raise UsageError("name a file, or pipe Services in (conform foretell --help)")
            yield from objects(sys.stdin.buffer.read(), _STDIN)
            continue
        yield from of_file(name)


def _only(known: Cluster, name: str) -> Cluster:
    """The cluster with one of its Services alone."""
    namespace, _, bare = name.rpartition("/")
    wanted = (namespace or "default", bare)
    found = tuple(each for each in known.services if (each.namespace, each.name) == wanted)
    if not found:
        raise UsageError(f"no Service that a proxy serves is called {'/'.join(wanted)}")
    return dataclasses.replace(known, services=found)
