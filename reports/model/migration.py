"""A rehearsal, read from its result file: what became of the traffic, by way and direction, and in
which order to go about it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from reports.model.wording import interval, several
from reports.records import result_file
from reports.records.base import Interval, quantile, wrong
from reports.records.migration import (
    SWITCHES,
    SWITCHES_VERSION,
    AnyRecord,
    RehearsalEnd,
    RehearsalHeader,
    Switch,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from reports.records.migration import FlowsSeen, Opened

_FEW: Final = 3
"""So many things of a kind are named."""

NOTHING: Final = Interval(0.0, 0.0)


@dataclass(frozen=True)
class Flows:
    """What became of flows that were open."""

    opened: int
    kept: int
    stalled: int
    stall: Interval | None
    reset: int
    moved: int
    silent: int

    @classmethod
    def of(cls, listed: Sequence[FlowsSeen]) -> Flows:
        """All of these together."""

        def total(name: str) -> int:
            return sum(getattr(each, name) for each in listed)

        stalls = [each.stall for each in listed if each.stall]
        return cls(
            total("opened"),
            total("kept"),
            total("stalled"),
            max(stalls, key=lambda each: each.high, default=None),
            total("reset"),
            total("moved"),
            total("silent"),
        )

    @property
    def lost(self) -> int:
        """How many did not go on where they were."""
        return self.opened - self.kept

    def __str__(self) -> str:
        if not self.opened:
            return "none open"
        what = {"reset": self.reset, "moved": self.moved, "silent": self.silent}
        said = [f"{self.kept:,} of {self.opened:,} kept"]
        said += [f"{count:,} {word}" for word, count in what.items() if count]
        if self.stalled:
            said.append(f"{self.stalled:,} stalled for up to {interval(self.stall, 's')}")
        return ", ".join(said)


@dataclass(frozen=True)
class Course:
    """One way in one direction, as often as it was gone."""

    way: str
    before: str
    after: str
    switches: tuple[Switch, ...]

    @property
    def name(self) -> str:
        """From where to where."""
        return f"{self.before} to {self.after}"

    def windows(self, frontend: str = "") -> list[Interval]:
        """In each switch, the longest time in which new connections of a client failed, by that
        kind of frontend or by any; bounds in seconds, 0 where none did.
        """
        return [
            _longest(each for each in switch.opened if frontend in ("", each.frontend))
            for switch in self.switches
        ]

    def window(self, share: float, frontend: str = "") -> Interval:
        """The quantile of the lower and of the upper bounds of the windows."""
        return quantile(self.windows(frontend), share)

    @cached_property
    def frontends(self) -> list[str]:
        """The kinds of frontends that were tried."""
        return sorted({each.frontend for switch in self.switches for each in switch.opened})

    @property
    def tried(self) -> int:
        """New connections that were opened."""
        return sum(each.tried for switch in self.switches for each in switch.opened)

    @property
    def failed(self) -> int:
        """Those of them that failed."""
        return sum(each.failed for switch in self.switches for each in switch.opened)

    @cached_property
    def became(self) -> Counter[str]:
        """What those came to that failed."""
        found = Counter[str]()
        for switch in self.switches:
            for each in switch.opened:
                found.update(each.became)
        return found

    def flows(self, protocol: str = "", frontend: str = "") -> Flows:
        """What became of the flows of a protocol, by a kind of frontend, or of all."""
        return Flows.of(
            [
                each
                for switch in self.switches
                for each in switch.flows
                if protocol in ("", each.protocol) and frontend in ("", each.frontend)
            ]
        )

    @property
    def affinity(self) -> tuple[int, int]:
        """How many clients with affinity got another endpoint, and of how many."""
        lost = sum(each.affinity_lost for each in self.switches)
        return lost, sum(each.affinity_of for each in self.switches)

    @property
    def seconds(self) -> float:
        """The median of how long a switch took, until everything was in force."""
        return sorted(sum(each.steps.values()) for each in self.switches)[len(self.switches) // 2]

    @cached_property
    def left(self) -> dict[str, int]:
        """What was left behind, and how many of each kind at most."""
        found: dict[str, int] = {}
        for switch in self.switches:
            for kind, count in switch.left.items():
                found[kind] = max(count, found.get(kind, 0))
        return found

    @property
    def left_names(self) -> list[str]:
        """The same in few words: what there is in tables of both families is said once, rules that
        lead to a chain not at all, and of many of a kind how many they are.
        """
        names = dict.fromkeys(re.sub(r"^ip6?tables ", "", kind) for kind in self.left)
        kinds: dict[str, list[str]] = {}
        for name in names:
            if not name.startswith("rule "):
                kinds.setdefault(name.split()[0], []).append(name)
        return [
            said
            for kind, listed in kinds.items()
            for said in (listed if len(listed) <= _FEW else [f"{len(listed)} {kind}s"])
        ]

    @property
    def complaints(self) -> list[str]:
        """How --cleanup ended, where that was not with exit code 0: each once, without klog's
        prefix.
        """
        said = (each.complaint for each in self.switches if each.complaint)
        return list(dict.fromkeys(re.sub(r"[EWIF]\d{4} [\d:.]+ +\d+ \S+\] ", "", x) for x in said))

    @property
    def wrong(self) -> list[str]:
        """What came out otherwise than is right before a switch, after it, or after the change that
        followed: each once.
        """
        found = (each for switch in self.switches for each in _wrong(switch))
        return list(dict.fromkeys(found))

    @property
    def wrong_times(self) -> int:
        """Around how many switches something did."""
        return sum(bool(_wrong(each)) for each in self.switches)


def _wrong(switch: Switch) -> tuple[str, ...]:
    return *switch.wrong_before, *switch.wrong, *switch.wrong_later


def _longest(opened: Iterable[Opened]) -> Interval:
    windows = [each.window for each in opened if each.window]
    if not windows:
        return NOTHING
    return Interval(max(each.low for each in windows), max(each.high for each in windows))


@dataclass(frozen=True)
class Rehearsed:
    """One rehearsal, complete or interrupted."""

    header: RehearsalHeader
    courses: tuple[Course, ...]
    footer: RehearsalEnd

    def course(self, way: str, before: str) -> Course | None:
        """That way from there, or None where it was not gone."""
        found = (each for each in self.courses if (each.way, each.before) == (way, before))
        return next(found, None)

    @property
    def exit_code(self) -> int:
        """1 where something was wrong after a switch."""
        return int(any(each.wrong_times for each in self.courses))

    def advice(self, before: str) -> list[str]:
        """In which order to go about it from there, by what was measured."""
        return list(_advice(self, before))


def _advice(found: Rehearsed, before: str) -> Iterable[str]:
    tried = [found.course(way, before) for way in ("in-place", "cleanup")]
    courses = [each for each in tried if each]
    if failing := found.course("failed", before):
        yield _of_the_failing(failing)
    if not courses:
        return
    best = _best(courses)
    yield _of_the_best(best, [each for each in courses if each is not best])
    if drained := found.course("drained", before):
        yield _of_the_drained(drained, best)
    lost, of = best.affinity
    if lost:
        yield (
            f"Clients of Services with affinity start anew: {lost:,} of {of:,} got another"
            " endpoint."
        )
    back = found.course(best.way, best.after)
    if back:
        yield (
            f"Going back in the same way: new connections fail for {_figures(back)};"
            f" flows: {back.flows()}."
        )


def _best(courses: Sequence[Course]) -> Course:
    """The first, unless another is served wrongly less often, loses fewer flows, or has new
    connections fail for a time that is shorter for certain.
    """
    best = courses[0]
    for each in courses[1:]:
        harm, least = (
            (one.wrong_times, one.flows().lost / max(one.flows().opened, 1)) for one in (each, best)
        )
        shorter = each.window(0.95).high < best.window(0.95).low
        if harm < least or (harm == least and shorter):
            best = each
    return best


def _figures(course: Course) -> str:
    p50, p95, most = (interval(course.window(share), "s") for share in (0.5, 0.95, 1.0))
    return f"{p50} (p50), {p95} (p95), {most} (max)"


def _of_the_failing(course: Course) -> str:
    if not course.failed:
        return (
            f"A start in {course.after} mode that fails does no harm: Services are served as before"
            f" until {course.before} mode is back."
        )
    return (
        f"See first that {course.after} mode can start on the node: a start that fails takes the"
        f" rules of {course.before} mode away all the same. New connections failed until that was"
        f" started again, here at once: for {_figures(course)}."
    )


def _of_the_best(best: Course, others: Sequence[Course]) -> str:
    how = {
        "in-place": f"Start {best.after} mode where {best.before} mode has ended, with no cleanup"
        " in between",
        "cleanup": f"End {best.before} mode, clean up (kube-proxy --cleanup), then start"
        f" {best.after} mode",
    }[best.way]
    said = f"{how}: new connections fail for {_figures(best)}; flows: {best.flows()}."
    for other in others:
        why = {
            "cleanup": "With a cleanup in between",
            "in-place": "Without a cleanup",
        }[other.way]
        said += f" {why}: {_figures(other)}; flows: {other.flows()}."
        if other.wrong_times:
            many = several(len(other.switches), "switch", "switches")
            said += f" After {other.wrong_times} of {many} something was served wrongly."
    for complaint in dict.fromkeys(x for each in (best, *others) for x in each.complaints):
        said += f" --cleanup ends with {complaint}: let no script stop there."
    if best.left:
        said += f" It leaves {', '.join(best.left_names)}."
    return said


def _of_the_drained(drained: Course, best: Course) -> str:
    if drained.flows().lost < best.flows().lost:
        return (
            "Drain the node first, so that no pod there has flows to lose, and take it out of its"
            f" load balancers: of the flows of others, by the node, {drained.flows()}."
        )
    return (
        "A drain saves the pods of the node from the time in which new connections fail, and nobody"
        f" else: by the node, those of others fail for {_figures(drained)}."
        " Take the node out of its load balancers as well."
    )


def read(path: Path | str) -> Rehearsed:
    """Read a rehearsal's result file, or the one in its folder.

    Raises ResultFileError, with one clear line, when the file is missing, cut off, of another
    schema version, or has no switch.
    """
    path = result_file.locate(path, SWITCHES)
    header, *records, footer = result_file.complete(
        path, AnyRecord, header="rehearsal", version=SWITCHES_VERSION
    )
    courses: dict[tuple[str, str, str], list[Switch]] = {}
    for each in records:
        courses.setdefault((each.way, each.before, each.after), []).append(each)
    if not courses:
        raise wrong(str(path), "has no switch in it")
    return Rehearsed(
        header, tuple(Course(*key, tuple(some)) for key, some in courses.items()), footer
    )
