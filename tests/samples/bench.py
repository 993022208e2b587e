"""A bench's result file for tests, without a bench."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from bench.derive import conclusions as derive
from reports.records.base import made, values
from reports.records.figures import FIGURES, Figure
from reports.records.result_file import digest

MODES = ["iptables", "nftables"]
SIZES = [1, 100, 1000]


def header(**changes: Any) -> dict[str, Any]:
    return {
        "type": "bench",
        "schema": 1,
        "bench": "20260101T000000Z-bench-0000",
        "started": "2026-01-01T00:00:00.000+00:00",
        "suite": {"name": "kube-proxy-conformance", "version": "0.1.0", "commit": None},
        "seed": 1,
        "command": ["./conform", "bench"],
        "reproduce": "./conform bench --seed 1",
        "implementation": {
            "name": "kube-proxy",
            "version": "v1.36.3",
            "binary": "kube-proxy",
            "sha256": "0" * 64,
        },
        "modes": MODES,
        "machine": {"kernel": "6.18.0", "cpu": "a processor", "cpus": "2", "nft": "nftables v1"},
        "emulated": False,
        "plan": {"name": "quick", "sizes": SIZES, "minSyncPeriod same-period": "10ms"},
    } | changes


def figure(name: str, mode: str | None, services: int, **changes: Any) -> dict[str, Any]:
    """A figure whose rounds spread around a line: 5 + 0.009 N in iptables mode, else 10."""
    middle = 2.0 if mode is None else 5 + 0.009 * services if mode == "iptables" else 10.0
    rounds = [round(middle * (1 + step / 100), 6) for step in range(20)]
    return {
        "type": "figure",
        "name": name,
        "mode": mode,
        "services": services,
        "series": "same-period",
        "target": None,
        "unit": "us",
        "n": 2000,
        "p1": rounds[0],
        "p50": rounds[10],
        "p90": rounds[18],
        "p99": rounds[19],
        "min": rounds[0],
        "max": rounds[19],
        "mean": rounds[10],
        "rounds": rounds,
        "own": {},
        "state": {"load": 1.0, "steal": 0.0, "foreign": 0.0},
        "disturbed": False,
        "seed": 1,
        "note": "",
    } | changes


def figures() -> list[dict[str, Any]]:
    found = []
    for size in SIZES:
        found.append(figure("floor", None, size))
        for mode in MODES:
            found.append(figure("first-packet", mode, size, target="random"))
            found.append(figure("sync-endpoint-add", mode, size, unit="ms"))
    return found


@functools.cache
def _all_but_the_header() -> str:
    return json.dumps(derived(figures()))


def derived(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The figures, and what follows from them."""
    known = [made(each, Figure, "here") for each in found]
    kinds = (derive.ratios, derive.fits, derive.crossovers)
    return found + [values(each) for what in kinds for each in what(known, MODES, 1)]


def records(**changes: Any) -> list[dict[str, Any]]:
    """A whole bench but for its footer."""
    return [header(**changes), *json.loads(_all_but_the_header())]


def write(folder: Path, written: list[dict[str, Any]], **footer: Any) -> Path:
    """Write the records and a footer that fits."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in written).encode()
    end = {
        "type": "end",
        "finished": "2026-01-01T00:04:00.000+00:00",
        "seconds": 240.0,
        "exit": 0,
        "figures": sum(line["type"] == "figure" for line in written),
        "lines": len(written),
        "digest": digest(text),
    } | footer
    path = folder / FIGURES
    path.write_bytes(text + json.dumps(end).encode() + b"\n")
    return path
