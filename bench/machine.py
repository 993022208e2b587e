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

TICKS: Final = os.sysconf("SC_CLK_TCK")
"""A second has so many."""
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
        elapsed = max(time.monotonic() - self._began, 1 / TICKS) * TICKS * (os.cpu_count() or 1)
        busy, steal, ours = (b - a for a, b in zip(self._before, now, strict=True))
        return {
            "load": os.getloadavg()[0],
            "steal": round(max(0.0, steal / elapsed), 4),
            "foreign": round(max(0.0, (busy - ours) / elapsed), 4),
        }


def trouble(state: Mapping[str, float]) -> float:
    """How much of what figures can bear others have taken."""
    return max(state["foreign"] / FOREIGN, state["steal"] / STEAL)


def disturbed(state: Mapping[str, float]) -> bool:
    """Whether figures of such a time are visibly other people's business too."""
    return trouble(state) > 1


def read() -> Ticks:
    """The counters of now."""
    user, nice, system, _idle, _wait, irq, soft, steal, *_ = map(
        int, (_PROC / "stat").read_text().partition("\n")[0].split()[1:]
    )
    ours = 0
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it may have ended
                ours += process_ticks((entry / "stat").read_text())
    return Ticks(user + nice + system + irq + soft, steal, ours)


def process_ticks(stat: str) -> int:
    """Clock ticks of a process and of its children that have ended: proc(5), stat."""
    return sum(map(int, stat.rpartition(")")[2].split()[11:15]))


def description(node: Node) -> dict[str, str]:
    """The machine and the tools that a mode uses, for the header; ``node`` is one of its nodes."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    governor = "none (no frequency scaling here)"
    with contextlib.suppress(OSError):
        governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text().strip()
    tools = {name: first_line(node, [name, "--version"]) for name in ("nft", "iptables", "ipvsadm")}
    return {
        "kernel": str(node.system.description["kernel"]),
        "cpu": cpu.model(),
        "cpus": str(os.cpu_count()),
        "memory": f"{memory // 2**20} MiB",
        "governor": governor,
        "node": str(node.system.description["kind"]),
        **{name: version for name, version in tools.items() if version},
    }
