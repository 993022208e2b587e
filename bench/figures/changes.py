"""Sync latency on the wire: from the API server's acknowledgement of a change to the first packet
that shows it.

The modes take turns, change by change, in another order each time; only the proxy whose turn it is
has anything to do. Every mode is asked to make the same changes.
"""

from __future__ import annotations

import contextlib
import math
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from bench.costs import cpu_seconds
from bench.figures.measured import Measured, own_word
from bench.population import PORT, TARGET, pod
from fixtures.world.latency import LIMIT, Change, OwnWord, time_changes
from reports.records.figures import Name
from specification.attempts import SocketAddress
from specification.errors import LatencyError, WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from bench.population import Target
    from bench.sites import Site, Sites
    from fixtures.lab.frames import Bytes
    from specification.places import Host

BATCH: Final = 100
"""Services that are made at once."""

ROLLING: Final = 10
"""Endpoints of the Service that is rolled over."""

RATE: Final = 1000
"""New connections a second to the Service that is rolled over."""

_LOOK: Final = 32  # connections that show which endpoints a Service of two or three has
_BURST: Final = RATE // 100
_CERTAIN: Final = 100  # connections of which none misses one of ten endpoints (2.7e-5)
_LOOK_AGAIN: Final = 0.03  # seconds
_LATE: Final = f"a change is not in force after {LIMIT:.0f} s"
_FIRST_FRESH: Final = 50_000  # pods that no Service has had before


class Spending:
    """What the proxy of a site says of itself, and the processor time that it uses up, once it is
    idle after what was before.
    """

    def __init__(self, site: Site) -> None:
        site.rest()
        self._site = site
        self._word = OwnWord(site.proxy)
        self._before = cpu_seconds(site.node)

    @property
    def own(self) -> dict[str, float]:
        """The proxy's own figures."""
        return own_word(self._word)

    def of(self, changes: int, target: str, besides: str = "") -> Measured:
        """The processor time for each of so many changes."""
        spent = (cpu_seconds(self._site.node) - self._before) / changes
        note = f"of {changes}{besides}"
        return Measured("cpu-seconds", self._site.mode, "s/change", [spent], target, note=note)


class Turn(NamedTuple):
    """One change that is timed: which figure it is of, and how to make it at a site."""

    name: Name
    change: Callable[[Site], Change]


def endpoint_turns(number: int) -> list[Turn]:
    """An endpoint of the Service of that number is added and removed again."""

    def turn(site: Site, *, added: bool) -> Change:
        target = site.targets[number]
        *old, new = target.endpoints(3)
        wanted = [*old, new] if added else old

        def write() -> None:
            site.population.write(target, wanted)

        def in_force() -> bool:
            sample = site.client.connect_many(target.address, PORT, _LOOK)
            return (SocketAddress(new.address("IPv4"), TARGET) in sample.counts) is added

        return Change(write, [in_force])

    return [
        Turn("sync-endpoint-add", lambda site: turn(site, added=True)),
        Turn("sync-endpoint-remove", lambda site: turn(site, added=False)),
    ]


def service_turns(number: int) -> list[Turn]:
    """The Service of that number is deleted and made again, its EndpointSlice staying."""

    def turn(site: Site, *, made: bool) -> Change:
        targets = [site.targets[number]]
        write = site.population.restore if made else site.population.withdraw
        return Change(partial(write, targets), [lambda: served(site, targets) is made])

    return [
        Turn("sync-service-remove", lambda site: turn(site, made=False)),
        Turn("sync-service-add", lambda site: turn(site, made=True)),
    ]


def measure_turns(
    sites: Sites,
    turns: Callable[[int], list[Turn]],
    cost: str,
    numbers: Sequence[int],
    pause: Callable[[], float],
) -> list[Measured]:
    """Time the turns for each of the Services ``numbers``; milliseconds.

    ``pause`` says how many seconds to wait before each change. ``cost`` names what the processor
    time is spent on.
    """
    taken: dict[Site, dict[Name, list[float]]] = {site: {} for site in sites}
    spendings = {site: Spending(site) for site in sites}
    for number in sites.repeat(numbers):
        for name, change in turns(number):
            seconds = pause()
            for site in sites.shuffled():
                time.sleep(seconds)
                milliseconds = 1000 * timed(site, change(site))
                site.rest()
                taken[site].setdefault(name, []).append(milliseconds)
    found = []
    for site, mine in taken.items():
        own = spendings[site].own
        found += [
            Measured(name, site.mode, "ms", values, own=own, note=_short(len(values), len(numbers)))
            for name, values in mine.items()
        ]
        found.append(spendings[site].of(sum(map(len, mine.values())), cost))
    return found


def _short(done: int, wanted: int) -> str:
    """What is to be said where time was up before all repetitions were made."""
    return f"repeated {done} times instead of {wanted}: the time was up" if done < wanted else ""


def measure_batches(sites: Sites, repetitions: int) -> list[Measured]:
    """Make 100 Services at once, and remove them, that often; milliseconds from the last
    acknowledgement to all of them answering.
    """
    for site in sites:
        site.batch.remove()  # where an earlier try has left one
        site.batch.grow(BATCH)
        _remove_batch(site)
    taken: dict[Site, list[float]] = {site: [] for site in sites}
    spendings = {site: Spending(site) for site in sites}
    for _ in sites.repeat(range(repetitions)):
        for site in sites.shuffled():
            targets = site.batch.targets
            make = partial(site.batch.restore, targets)
            change = Change(make, [partial(served, site, targets)])
            taken[site].append(1000 * timed(site, change))
            _remove_batch(site)
            site.rest()
    found = []
    for site, mine in taken.items():
        site.batch.remove()  # a Service that is made later may have one of its addresses
        own, note = spendings[site].own, _short(len(mine), repetitions)
        found += [
            Measured("sync-100-services", site.mode, "ms", mine, own=own, note=note),
            spendings[site].of(len(mine), "100-services", ", and as many removals"),
        ]
    return found


def measure_rolling_updates(sites: Sites, repetitions: int) -> list[Measured]:
    """Replace so many endpoints of a Service of ten, one by one, under new connections all the
    time: milliseconds until the new endpoint gets one, and how many the one that is gone gets.
    """
    taken: dict[Site, list[Replacement]] = {site: [] for site in sites}
    has: dict[Site, list[Host]] = {}
    for site in sites:
        site.rolling.remove()  # where an earlier try has left one
        site.rolling.grow(1, ROLLING)
        has[site] = site.rolling.targets[0].endpoints(ROLLING)
        _wait(site, partial(_reaches_only, site, has[site]))
    spendings = {site: Spending(site) for site in sites}
    for turn in sites.repeat(range(repetitions)):
        for site in sites.shuffled():
            endpoints = has[site]
            gone, endpoints[turn % ROLLING] = endpoints[turn % ROLLING], pod(_FIRST_FRESH + turn)
            taken[site].append(_replace(site, endpoints, gone, endpoints[turn % ROLLING]))
            site.rest()
    found = []
    for site, mine in taken.items():
        site.rolling.remove()
        mode, own = site.mode, spendings[site].own
        rate = np.median([each.rate for each in mine])
        latencies, packets = [each.milliseconds for each in mine], [each.to_gone for each in mine]
        told = f"a Service of {ROLLING} endpoints under {rate:.0f} new connections a second"
        told = "; ".join(filter(None, [told, _short(len(mine), repetitions)]))
        found += [
            Measured("sync-rolling-update", mode, "ms", latencies, own=own, note=told),
            Measured("gone-endpoint-packets", mode, "packets", packets, note=told),
            spendings[site].of(len(mine), "rolling-update"),
        ]
    return found


def _reaches_only(site: Site, endpoints: Sequence[Host]) -> bool:
    """Whether the Service that is rolled over has these endpoints, as far as is seen."""
    sample = site.client.connect_many(site.rolling.targets[0].address, PORT, _CERTAIN)
    known = {SocketAddress(host.address("IPv4"), TARGET) for host in endpoints}
    return bool(sample.is_served.all()) and set(sample.counts) <= known


class Replacement(NamedTuple):
    """One endpoint replaced by another."""

    milliseconds: float
    """From the acknowledgement to the new endpoint's first packet."""
    to_gone: int
    """Connections that the old endpoint got after the acknowledgement."""
    rate: float
    """New connections a second meanwhile."""


def _replace(site: Site, endpoints: Sequence[Host], gone: Host, come: Host) -> Replacement:
    target = site.rolling.targets[0]
    acknowledged: list[int] = []

    def write() -> None:
        site.rolling.write(target, endpoints)
        acknowledged.append(time.time_ns())

    site.node.forget_connections()
    times, chosen = [], []
    begin = time.monotonic()
    with ThreadPoolExecutor(1, "writer") as pool:
        writing = pool.submit(write)
        while True:
            with contextlib.suppress(WireError):  # the machine lost frames, not the node
                sample = site.client.connect_many(target.address, PORT, _BURST)
                times.append(sample.arrival_times)
                chosen.append(sample.endpoints)
            recent = chosen[-(_CERTAIN // _BURST) :]
            enough = len(recent) * _BURST >= _CERTAIN and bool(acknowledged)
            if enough and _is(recent, come).any() and not _is(recent, gone).any():
                break
            if writing.done():
                writing.result()
            if time.monotonic() - begin > LIMIT:
                raise site.unmeasurable(_LATE)
            time.sleep(max(0.0, begin + len(times) * _BURST / RATE - time.monotonic()))
    elapsed = time.monotonic() - begin
    arrivals = np.concatenate(times)
    first = int(arrivals[_is(chosen, come)].min())
    late = _is(chosen, gone) & (arrivals > acknowledged[0])
    return Replacement(
        (first - acknowledged[0]) / 1e6, int(late.sum()), len(times) * _BURST / elapsed
    )


def _is(endpoints: Sequence[Bytes], host: Host) -> NDArray[np.bool_]:
    """Which of the connections, whose endpoints these are, reached that host."""
    rows = np.concatenate(endpoints)
    address = np.frombuffer(host.address("IPv4").packed, np.uint8)
    same: NDArray[np.bool_] = (rows == address).all(axis=1)
    return same


def timed(site: Site, change: Change) -> float:
    """Seconds from the acknowledgement to the first look that shows the change; negative where
    the change was quicker than the answer.

    Raises:
        UnmeasurableError: it is not seen in ``LIMIT`` seconds, or is seen before it is made.
    """
    site.node.forget_connections()
    looks = [partial(_sure, look) for look in change.in_force]
    try:
        (interval,) = time_changes(Change(change.write, looks))
    except LatencyError as problem:
        raise site.unmeasurable(str(problem)) from None
    if math.isinf(interval.high):
        raise site.unmeasurable(_LATE)
    return interval.high


def served(site: Site, targets: Sequence[Target]) -> bool:
    """Whether each of the Services answers a new connection.

    Many are asked only once the last of them answers: looks must leave the processors, and room in
    conntrack, to those who make the change.
    """
    if len(targets) > 1 and not served(site, targets[-1:]):
        return False
    sample = site.client.connect_to_each([target.socket for target in targets])
    return bool(sample.is_served.all())


def _remove_batch(site: Site) -> None:
    """Delete the Services of the batch and wait until none is served; their slices stay."""
    site.batch.withdraw(site.batch.targets)

    def gone() -> bool:
        if served(site, site.batch.targets[-1:]):
            return False
        sockets = [target.socket for target in site.batch.targets]
        return not site.client.connect_to_each(sockets).is_answered.any()

    _wait(site, gone)


def _wait(site: Site, holds: Callable[[], bool]) -> None:
    start = time.monotonic()
    site.node.forget_connections()
    while not _sure(holds):
        if time.monotonic() - start > LIMIT:
            raise site.unmeasurable(_LATE)
        site.lab.wait(_LOOK_AGAIN)


def _sure(look: Callable[[], bool]) -> bool:
    """What a look says; no where the machine, not the node, lost frames: look again then."""
    try:
        return look()
    except WireError:
        return False
