"""What the first packet of a connection costs, and what the later ones do; how many connections a
second a node takes.
"""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING, Final

import numpy as np

from bench.figures import packets
from bench.figures.measured import Measured
from bench.population import PORT, TARGET, pod
from reports.records.figures import Name
from specification.attempts import SocketAddress
from specification.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.population import Target
    from bench.sites import Site, Sites
    from fixtures.lab.frames import Bytes

POSITIONS: Final = ("first", "middle", "last", "random")
BATCH: Final = 100
"""Packets of one kind in a round."""

CONNECTIONS: Final = 4096
"""New connections in a round of the connection rate."""

_FLOWS: Final = 16
_TRIES: Final = 3  # a busy machine may lose a frame


def measure_packets(sites: Sites, probes: int, seed: int) -> list[Measured]:
    """``probes`` packets of each kind for each mode, in rounds of 100; microseconds."""
    choose = random.Random(seed)
    series: dict[tuple[Name, str | None, str | None], list[Sequence[float]]] = {}
    positions = {site: site.positions() for site in sites}
    for _ in range(probes // BATCH):
        for site in sites.shuffled(floor=True):
            kinds = _kinds(site, positions.get(site, {}), choose)
            for (name, target), frames in kinds.items():
                site.node.forget_connections()
                taken = _tried(lambda: site.stopwatch.times(frames()))  # noqa: B023  (called now)
                series.setdefault((name, site.mode, target), []).append(taken)
    return [
        Measured(
            name,
            mode,
            "us",
            np.concatenate(rounds).tolist(),
            target,
            [float(np.median(each)) for each in rounds],
        )
        for (name, mode, target), rounds in series.items()
    ]


def measure_rates(sites: Sites, rounds: int, seed: int) -> list[Measured]:
    """New connections a second to random Services, from one processor; and through a node without
    a proxy.
    """
    choose = random.Random(seed)
    taken: dict[str | None, list[float]] = {}
    for _ in range(rounds):
        for site in sites.shuffled(floor=True):
            sockets = _random(site, choose, CONNECTIONS)
            site.node.forget_connections()
            rate = _tried(lambda: [site.stopwatch.rate(_opening(site, sockets))])  # noqa: B023
            taken.setdefault(site.mode, []).extend(rate)
    return [Measured("connection-rate", mode, "1/s", values) for mode, values in taken.items()]


def _kinds(
    site: Site, positions: dict[str, Target], choose: random.Random
) -> dict[tuple[Name, str | None], Callable[[], Bytes]]:
    """The packets that are timed at a site: by figure and target."""
    if site.mode is None:
        sockets = _random(site, choose, BATCH)
        return {("floor", None): lambda: _opening(site, sockets)}
    kinds: dict[tuple[Name, str | None], Callable[[], Bytes]] = {}
    for position in POSITIONS:
        target = positions.get(position)
        sockets = [target.socket] * BATCH if target else _random(site, choose, BATCH)
        kinds["first-packet", position] = lambda sockets=sockets: _opening(site, sockets)  # type: ignore[misc]

    def established() -> Bytes:
        flows = site.client.open(positions["last"].address, PORT, _FLOWS)
        return packets.following(site.lab, flows, BATCH)

    kinds["established-packet", None] = established
    return kinds


def _random(site: Site, choose: random.Random, count: int) -> list[SocketAddress]:
    """Services chosen at random; pods where there is no proxy."""
    if site.mode is None:
        return [
            SocketAddress(pod(choose.randrange(60_000)).address("IPv4"), TARGET)
            for _ in range(count)
        ]
    return [target.socket for target in choose.choices(site.targets, k=count)]


def _opening(site: Site, sockets: Sequence[SocketAddress]) -> Bytes:
    return packets.opening(site.lab, site.client.address, sockets)


def _tried(measure: Callable[[], Sequence[float]]) -> Sequence[float]:
    """What ``measure`` returns, after another try or two where the machine lost frames."""
    for _ in range(_TRIES - 1):
        with contextlib.suppress(WireError):
            return measure()
    return measure()
