"""How a node comes from one mode to another."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from conformance.kube_proxy.process.starts import in_front
from reports.records.migration import Way
from specification.errors import StartError, UnmeasurableError

if TYPE_CHECKING:
    from clusters.contract import Node

Result = TypeVar("Result")
Steps = dict[str, float]


class Gone(NamedTuple):
    """How a way was gone."""

    steps: Steps
    """The seconds that each step took."""
    complaint: str
    """How --cleanup ended, where that was not with exit code 0."""


class Lacking(NamedTuple):
    """What a mode refuses to start for."""

    tools: tuple[str, ...]
    asked: str
    """With which arguments, as a pattern of the shell's, these tools say so."""
    says: str
    """What they do then."""


LACKING: Final[Mapping[str, Lacking]] = {
    "iptables": Lacking(("iptables", "ip6tables"), "*-S*POSTROUTING*", "exit 3"),
    "nftables": Lacking(("nft",), "--version", "echo 'nftables v1.0.0 (Fearless Fosdick)'"),
    "ipvs": Lacking(("ipset",), "--version", "echo 'ipset v5.9, protocol version: 6'"),
}
"""A kernel without the tables of iptables, and programs that are too old."""


def go(way: Way, node: Node, before: Mapping[str, Any], after: Mapping[str, Any]) -> Gone:
    """Have the proxy run with the configuration ``after`` instead of ``before``.

    Raises:
        StartError: it does not start.
        UnmeasurableError: it does start where it was to fail.
    """
    proxy, steps, complaint = node.proxy, Steps(), ""
    _timed(steps, "stop", proxy.stop)
    if way == "cleanup":
        done = _timed(steps, "cleanup", proxy.cleanup)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:]
            complaint = f"exit code {done.returncode}: {' '.join(last)}"
    if way == "failed":
        _timed(steps, "failed start", lambda: _fail(node, after))
        _timed(steps, "start", lambda: proxy.start(before))
    else:
        _timed(steps, "start", lambda: proxy.start(after))
    return Gone(steps, complaint)


def _fail(node: Node, config: Mapping[str, Any]) -> None:
    """Start it where it finds that something is lacking, and wait until it has ended."""
    proxy, lacking = node.proxy, LACKING[config["mode"]]
    case = f'case "$*" in {lacking.asked}) {lacking.says} ;; *) exec REAL "$@" ;; esac\n'
    search = in_front(node, proxy.directory / "lacking", dict.fromkeys(lacking.tools, case))
    try:
        proxy.start(config, environment={"PATH": search})
    except StartError:
        return
    raise UnmeasurableError(config["mode"], "starts where it was to fail")


def _timed(steps: Steps, name: str, action: Callable[[], Result]) -> Result:
    began = time.monotonic()
    result = action()
    steps[name] = round(time.monotonic() - began, 4)
    return result
