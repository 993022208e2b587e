"""The machine that a bench runs on: what it is, and who else uses it meanwhile."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from fixtures.lab import cpu
from fixtures.record.fingerprint import first_line

if TYPE_CHECKING:
    from clusters.contract import Node

FOREIGN: Final = 0.10
STEAL: Final = 0.02
"""Shares of all processors beyond which a figure counts as disturbed: taken by programs that are
not ours, and by the machine's owner from the machine as a whole.
"""

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


class Ticks(NamedTuple):
    """Clock ticks since the start, over all processors."""

    busy: int
    steal: int
    ours: int
    """Of busy, those of the programs in our process namespace, which are all that we started."""


class Watch:
    """Watches the machine from its making on."""

    def __init__(self) -> None:
        self._before = read()
        self._began = time.monotonic()

    def state(self) -> dict[str, float]:
        """What the machine was like: load (of the last minute), steal and foreign (shares of all
        processors).
        """
        now = read()
        elapsed = max(time.monotonic() - self._began, 1 / _TICKS) * _TICKS * (os.cpu_count() or 1)
        busy, steal, ours = (b - a for a, b in zip(self._before, now, strict=True))
        return {
            "load": os.getloadavg()[0],
            "steal": round(max(0.0, steal / elapsed), 4),
            "foreign": round(max(0.0, (busy - ours) / elapsed), 4),
        }


def disturbed(state: Mapping[str, float]) -> bool:
    """Whether figures of such a time are visibly other people's business too."""
    return state["foreign"] > FOREIGN or state["steal"] > STEAL


def read() -> Ticks:
    """The counters of now."""
    user, nice, system, _idle, _wait, irq, soft, steal, *_ = map(
        int, (_PROC / "stat").read_text().partition("\n")[0].split()[1:]
    )
    ours = 0
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it may have ended
                ours += sum(process_ticks((entry / "stat").read_text()))
    return Ticks(user + nice + system + irq + soft, steal, ours)


def process_ticks(stat: str) -> tuple[int, int]:
    """Clock ticks of a process itself, and of its children that have ended: proc(5), stat."""
    fields = stat.rpartition(")")[2].split()
    user, system, children_user, children_system = map(int, fields[11:15])
    return user + system, children_user + children_system


def seconds(ticks: float) -> float:
    """Clock ticks as seconds."""
    return ticks / _TICKS


def description(node: Node) -> dict[str, str]:
    """The machine and the tools that a mode uses, for the header; ``node`` is one of its nodes."""
    tools = {
        "nft": ["nft", "--version"],
        "iptables": ["iptables", "--version"],
        "ipvsadm": ["ipvsadm", "--version"],
    }
    found = {"kernel": str(node.system.description["kernel"]), "cpu": cpu.model()}
    found["cpus"] = str(os.cpu_count())
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    found["memory"] = f"{pages // 2**20} MiB"
    found["governor"] = _governor()
    found["node"] = str(node.system.description["kind"])
    for name, argv in tools.items():
        if version := first_line(node, argv):
            found[name] = version
    return found


def _governor() -> str:
    file = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    try:
        return file.read_text().strip()
    except OSError:
        return "none (no frequency scaling here)"
