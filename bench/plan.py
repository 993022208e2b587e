"""What a bench measures: at which numbers of Services, how often, in which order."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bench.figures import changes, churn, lookups, starts
from clusters.implementation import EMULATED_SYNC_PERIOD, SYNC_PERIOD
from reports.records.figures import Name, Series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bench.figures.measured import Measured
    from bench.sites import Sites

SAME: Final[Series] = "same-period"
DEFAULTS: Final[Series] = "defaults"

_MOST_EMULATED: Final = 1000  # Services, in a limited time
_SYNC_EMULATED: Final = 1.5  # seconds: see Plan.least_sync

_ZERO = {"minSyncPeriod": "0s"}  # which stands for a mode's own default in kube-proxy's file
CONFIGURATIONS: Final[Mapping[str, Mapping[str, Any] | None]] = {
    SAME: None,
    DEFAULTS: {"iptables": _ZERO, "ipvs": _ZERO, "nftables": _ZERO},
}
"""What differs in the proxy's configuration, by series."""


def periods(*, emulated: bool) -> dict[str, str]:
    """minSyncPeriod, by series."""
    return {
        SAME: EMULATED_SYNC_PERIOD if emulated else SYNC_PERIOD,
        DEFAULTS: "kube-proxy's own: 1 s in iptables and nftables mode, none in ipvs mode",
    }


@dataclass(frozen=True)
class Plan:
    """How much is measured; ``name`` is what it is asked for by. Unless said otherwise, it is what
    the default plan has.
    """

    name: str
    sizes: tuple[int, ...] = (1, 100, 1000, 5000, 10_000)
    probes: int = 2000
    """Packets of each kind, for each mode and number of Services."""
    repetitions: int = 30
    """Changes of each kind, but for ..."""
    batches: int = 30
    """... those of 100 Services at once."""
    starts: int = 2
    rates: int = 10
    """Rounds of the connection rate."""
    churns: int = 1
    churned: tuple[int, ...] = (1000,)
    """Numbers of Services at which churn is measured."""
    batched: tuple[int, ...] = (1000,)
    """Numbers of Services at which 100 are made at once."""
    defaults: tuple[int, ...] = (1000,)
    """Numbers of Services at which the modes are measured with their own minSyncPeriod too."""
    minutes: float = 25
    """How long it may take: on a slow machine things are repeated less often, see
    ``Sites.repeat``."""
    brief: tuple[int, ...] = (5000, 10_000)
    """Numbers of Services at which, of all changes, only those of endpoints are made."""
    least_sync: float = 0.02
    """Seconds that a change takes to show with one Service, roughly."""

    def cut(
        self,
        sizes: Sequence[int],
        probes: int | None,
        repetitions: int | None,
        minutes: float | None,
        *,
        emulated: bool,
    ) -> Plan:
        """The plan with other numbers, where some are given; with other sizes it may take as long
        as it takes. Emulated machines, in which a change takes seconds, get no more Services in a
        limited time than they can handle, and neither churn nor 100 of them at once.
        """
        chosen = tuple(sorted(set(sizes))) or self.sizes
        most = math.inf
        if emulated and not sizes and math.isfinite(self.minutes):
            chosen = tuple(size for size in chosen if size <= _MOST_EMULATED)
            most = 0
        return replace(
            self,
            sizes=chosen,
            probes=probes or self.probes,
            repetitions=repetitions or self.repetitions,
            batches=min(repetitions or self.batches, self.batches),
            churned=tuple(size for size in self.churned if size in chosen and size <= most),
            batched=chosen if sizes else tuple(size for size in self.batched if size <= most),
            defaults=tuple(size for size in self.defaults if size in chosen),
            brief=() if sizes else self.brief,
            least_sync=_SYNC_EMULATED if emulated else self.least_sync,
            minutes=minutes or (math.inf if sizes else self.minutes),
        )


PLANS: Final = {
    plan.name: plan
    for plan in (
        Plan("default"),
        Plan(
            "quick",
            sizes=(1, 100, 1000),
            repetitions=10,
            batches=10,
            rates=5,
            batched=(1, 1000),
            defaults=(),
            minutes=4,
        ),
        Plan(
            "full",
            sizes=(1, 100, 1000, 5000, 10_000, 30_000),
            probes=5000,
            repetitions=50,
            starts=3,
            rates=20,
            churns=3,
            churned=(100, 1000, 5000, 10_000, 30_000),
            batched=(1, 100, 1000, 5000, 10_000, 30_000),
            defaults=(1000, 10_000),
            minutes=math.inf,
            brief=(),
        ),
    )
}


@dataclass(frozen=True)
class Task:
    """One step of a bench: figures that are measured together, all modes in turn."""

    title: str
    services: int
    figures: tuple[tuple[Name, str | None], ...]
    """Name and target of each figure that it gives for each mode."""
    run: Callable[[Sites], list[Measured]]
    seconds: float
    """What it takes for each mode on a machine of two quiet processors, roughly."""
    series: Series = SAME
    repeatable: bool = False
    """Whether it is quickly done once more where the machine was disturbed."""
    starts: bool = False
    """Whether it starts the proxies itself."""


def tasks(plan: Plan, seed: int, *, configurable: bool) -> Iterator[Task]:
    """All tasks, in their order; the modes' defaults only where the proxy's configuration can be
    varied.
    """
    for size in plan.sizes:
        yield from _tasks_of(size, plan, seed)
        if configurable and size in plan.defaults:
            yield _endpoint_changes(size, DEFAULTS, plan, seed)


def _tasks_of(size: int, plan: Plan, seed: int) -> Iterator[Task]:
    yield Task(
        "full sync",
        size,
        (("full-sync", None), ("cpu-seconds", "full-sync"), ("peak-memory", "proxy")),
        partial(starts.measure_starts, repetitions=plan.starts),
        plan.starts * (0.7 + size**2 * 3.3e-7),
        starts=True,
    )
    yield Task(
        "first packets",
        size,
        (
            *(("first-packet", position) for position in lookups.POSITIONS),
            ("established-packet", None),
        ),
        partial(lookups.measure_packets, probes=plan.probes, seed=seed),
        plan.probes * 0.0012,
        repeatable=True,
    )
    yield Task(
        "connection rate",
        size,
        (("connection-rate", None),),
        partial(lookups.measure_rates, rounds=plan.rates, seed=seed),
        plan.rates * (0.2 + size * 0.00004),
        repeatable=True,
    )
    yield Task(
        "rules",
        size,
        (("rules", None), ("ruleset-bytes", None)),
        starts.measure_rules,
        1 + size**2 * 1.5e-7,
    )
    yield _endpoint_changes(size, SAME, plan, seed)
    if size not in plan.brief:
        yield from _other_changes(size, plan, seed)
    if size in plan.churned:
        yield Task(
            "churn",
            size,
            (("churn", None), ("cpu-seconds", "churn"), ("peak-memory", "proxy-churn")),
            partial(churn.measure_churn, repetitions=plan.churns, seed=seed),
            plan.churns * 60 * _sync(size, plan),
        )


def _other_changes(size: int, plan: Plan, seed: int) -> Iterator[Task]:
    sync = _sync(size, plan)
    yield Task(
        "Services added and removed",
        size,
        (
            ("sync-service-add", None),
            ("sync-service-remove", None),
            ("cpu-seconds", "service-change"),
        ),
        partial(
            changes.measure_turns,
            turns=changes.service_turns,
            cost="service-change",
            numbers=_numbers(size, plan.repetitions, seed + 1),
            pause=lambda: 0.0,
        ),
        plan.repetitions * 2 * sync,
    )
    if size in plan.batched:
        yield Task(
            "100 Services at once",
            size,
            (("sync-100-services", None), ("cpu-seconds", "100-services")),
            partial(changes.measure_batches, repetitions=plan.batches),
            plan.batches * (1 + 2 * sync),
        )
    yield Task(
        "rolling updates",
        size,
        (
            ("sync-rolling-update", None),
            ("gone-endpoint-packets", None),
            ("cpu-seconds", "rolling-update"),
        ),
        partial(changes.measure_rolling_updates, repetitions=plan.repetitions),
        plan.repetitions * (0.1 + sync),
    )


def _sync(size: int, plan: Plan) -> float:
    """Seconds that a change takes to show, roughly, with an nft that lists everything each time."""
    return plan.least_sync + size * 0.00006 + size**2 * 1.75e-8


def _endpoint_changes(size: int, series: Series, plan: Plan, seed: int) -> Task:
    """With the modes' defaults, changes come at random moments of their period."""
    choose = random.Random(seed)
    longest = 1.0 if series == DEFAULTS else 0.0
    sync = _sync(size, plan) + longest
    return Task(
        "endpoints added and removed",
        size,
        (
            ("sync-endpoint-add", None),
            ("sync-endpoint-remove", None),
            ("cpu-seconds", "endpoint-change"),
        ),
        partial(
            changes.measure_turns,
            turns=changes.endpoint_turns,
            cost="endpoint-change",
            numbers=_numbers(size, plan.repetitions, seed),
            pause=lambda: choose.uniform(0.0, longest),
        ),
        plan.repetitions * 2 * sync,
        series,
    )


def _numbers(size: int, count: int, seed: int) -> list[int]:
    """Services chosen at random, the same for all modes."""
    return random.Random(seed).choices(range(size), k=count)
