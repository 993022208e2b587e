"""The fingerprints of a run, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from reports.model import node_words
from reports.model.wording import interval
from reports.records.base import Interval

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reports.model.run import Run
    from reports.records.results import Fingerprint

_NODES = {"netns": "network namespace", "vm": "virtual machine", "kind": "kind node"}


def _node(fingerprint: Fingerprint) -> str:
    kind, how = fingerprint.system.get("kind", ""), node_words.accelerator(fingerprint)
    return f"{_NODES.get(kind, kind)} ({how})" if how else _NODES.get(kind, kind)


_MEMBERS: tuple[tuple[str, Callable[[Fingerprint], str | None]], ...] = (
    ("implementation", lambda f: f"{f.implementation} {f.version}".strip()),
    ("sha256", lambda f: f.sha256),
    ("mode claimed", lambda f: f.claimed_mode),
    ("mode observed", lambda f: f.observed_mode or "not observed"),
    ("node", _node),
    ("node image", lambda f: f.system.get("image")),
    ("Kubernetes", lambda f: f.system.get("kubernetes")),
    ("kernel", lambda f: f.kernel),
    ("CPU", lambda f: f"{f.cpu} (x {f.cpus})" if f.cpus else f.cpu),
    ("Python", lambda f: f.python),
)


def _member(fingerprint: Fingerprint, kind: str, name: str) -> str | None:
    known: Mapping[str, str | int] = getattr(fingerprint, kind)
    return str(known[name]) if name in known else None


@dataclass(frozen=True)
class Row:
    """One property: what it is in each mode, and whether the modes differ in it."""

    name: str
    values: Mapping[str, str]
    differs: bool
    kind: str


def _row(run: Run, name: str, kind: str, get: Callable[[Fingerprint], str | None]) -> Row:
    values = {}
    for mode in run.modes:
        # Workers of one mode agree, as a rule; where they don't, all their values are shown.
        found = dict.fromkeys(get(f) or "" for f in run.fingerprints if f.mode == mode)
        values[mode] = " / ".join(value for value in found if value)
    known = {f.mode for f in run.fingerprints}
    differs = len({value for mode, value in values.items() if mode in known}) > 1
    differs = differs and not name.startswith("mode ")
    return Row(name, values, differs, kind)


def _ready(run: Run) -> Row:
    values = {}
    for mode in run.modes:
        times = [f.seconds_to_ready for f in run.fingerprints if f.mode == mode]
        known = [time for time in times if time is not None]
        span = Interval(min(known), max(known)) if known else None
        values[mode] = interval(span, "s") if span else ""
    return Row("ready after", values, differs=False, kind="")


def rows(run: Run) -> list[Row]:
    """One row per property that any mode knows; tools and sysctls by their own names."""
    table = [_row(run, name, "", get) for name, get in _MEMBERS]
    table.append(_ready(run))
    for kind in ("tools", "sysctls"):
        tables: list[Mapping[str, str | int]] = [getattr(f, kind) for f in run.fingerprints]
        names = dict.fromkeys(name for known in tables for name in known)
        table += [_row(run, n, kind, partial(_member, kind=kind, name=n)) for n in names]
    return [row for row in table if any(row.values.values())]
