"""A kube-proxy that is left in peace but for one change after another, and what its metrics say
before and after each.

Nothing but these changes makes it synchronise: its own periods are a day. Each is waited for in its
log, which tells of every sync when it begins and, once all metrics are written, when it is done.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from conformance.kube_proxy.process.starts import hinderable
from conformance.kube_proxy.process.syncs import BEGUN, DONE, LOGGED, syncs
from conformance.kube_proxy.telemetry.scrapes import Scrape, scrape
from conformance.vocabulary import (
    FAMILIES,
    HEADLESS,
    Service,
    Services,
    Slice,
    World,
    by_time,
    trigger_time,
)

FAMILY: Final = "IPv4"
"""All changes concern this family alone."""
OTHER: Final = "IPv6"

_PERIODS = {"syncPeriod": "24h"}
_QUIET = {
    "configSyncPeriod": "24h",
    **dict.fromkeys(("iptables", "ipvs", "nftables"), _PERIODS),
    **LOGGED,
}
_PATIENCE = 240.0  # seconds for one sync, on a machine that is busy
_CHANGES = "sync_proxy_rules_"
_HOUR = 3600


@dataclass(frozen=True)
class Move:
    """Some changes, one after another, and what the metrics said before and after them."""

    before: Scrape
    after: Scrape
    syncs: int = 0
    """So many syncs followed, of ``FAMILY``."""
    slices: int = 0
    """So many times an EndpointSlice changed."""
    services: int = 0
    """So many times a Service changed."""
    triggered: int | None = 0
    """So many syncs that succeeded had a change that says when it was triggered; ``None`` where
    nothing is said of it.
    """

    def grown(self, name: str, **labels: str) -> float:
        """By how much a metric has grown."""
        return self.after(name, **labels) - self.before(name, **labels)


@dataclass(frozen=True)
class Story:
    """All moves, by name, in their order."""

    moves: Mapping[str, Move]
    stalled: Scrape
    """While a sync would not end, and changes to a Service and to a slice waited for the next."""
    delays: tuple[float, float]
    """What the syncs of move ``triggered`` may have taken together, since what triggered them."""
    clock: tuple[int, int]
    """The node's clock when it began, and when it ended: seconds."""

    def __iter__(self) -> Iterator[tuple[str, Move]]:
        return iter(self.moves.items())

    @property
    def whole(self) -> Move:
        """From before the first move until after the last."""
        moves = list(self.moves.values())
        return Move(moves[0].before, moves[-1].after, sum(each.syncs for each in moves))


def play(world: World, services: Services) -> Story:
    """Start the proxy anew, play the story, and end the proxy: whoever comes next starts it."""
    node = world.node
    world.cluster.api.finish_deletions()
    node.proxy.stop()
    position = node.proxy.log_position()
    search, hinder = hinderable(node, "iptables-restore", "nft")
    node.proxy.start(_QUIET, environment={"PATH": search})
    try:
        world.canary.settle(removed=False, started=True)
        web = services(["remote-pod"])
        return _Player(world, services, web, position, hinder).play()
    finally:
        node.proxy.kill()
        services.close()


class _Player:
    """Makes the changes."""

    def __init__(
        self,
        world: World,
        services: Services,
        web: Service,
        position: int,
        hinder: Callable[[str], Any],
    ) -> None:
        self._node = world.node
        self._services = services
        self._web = web
        self._position = position
        self._hinder = hinder
        self._moves: dict[str, Move] = {}

    def play(self) -> Story:
        """All of it."""
        by_time("the proxy has nothing left to do", self._idle, _PATIENCE)
        began = self._clock()
        by_time("a second has passed", lambda: self._clock() > began, _PATIENCE)
        stamp, old = self._clock(), began - _HOUR
        with self._move("triggered", syncs=3, slices=3, triggered=3):
            written = self._clock()
            for _ in range(3):
                self._synced(lambda: self._endpoint(stamp))
        delays = (3 * (written - stamp), 3 * (self._clock() + 1 - stamp))
        endpoints = [self._services.endpoint("remote-pod")]
        with self._move("not triggered", syncs=3, slices=3):
            self._synced(lambda: self._web.drop_slice(0, settle=False))
            self._synced(lambda: self._web.add_slices(Slice(tuple(endpoints)), settle=False))
            self._synced(lambda: self._endpoint(old))
        with self._move("Service", syncs=1, services=1):
            self._synced(lambda: self._web.update(session_affinity="ClientIP", settle=False))
        with self._move("nothing relevant", services=3):
            self._ignored()
        with self._move("stall", syncs=2, slices=2, services=1):
            stalled = self._stalled()
        with self._move("failure", syncs=1, slices=1), self._hinder("failing"):
            self._synced(lambda: self._endpoint(self._clock()))
        with self._move("after failure", syncs=1, slices=1, triggered=None):
            self._synced(self._endpoint)
        return Story(self._moves, stalled, delays, (began, self._clock()))

    @contextmanager
    def _move(self, name: str, **numbers: Any) -> Iterator[None]:
        before = scrape(self._node)
        yield
        self._moves[name] = Move(before, scrape(self._node), **numbers)

    def _synced(self, change: Callable[[], object]) -> None:
        """Make a change, and return when the sync that follows it is done."""
        before = self._count(DONE)
        change()
        by_time("a change is followed by a sync", lambda: self._count(DONE) > before, _PATIENCE)

    def _endpoint(self, trigger: int | None = None) -> None:
        """Replace the endpoint, and say when that was triggered, or do not."""
        said = {} if trigger is None else trigger_time(trigger)
        endpoints = [self._services.endpoint("remote-pod")]
        self._web.set_endpoints(endpoints, annotations=said, settle=False)

    def _ignored(self) -> None:
        """Change what no rule depends on, and return when the proxy has heard of it, but for what
        is headless, which it does not watch. It handles one change after another: when the last is
        counted, the others are done with.
        """
        before = scrape(self._node)
        nobodys = Slice((self._services.endpoint("remote-pod"),), labels={HEADLESS: ""})
        headless = self._services.spec(slices=[nobodys], headless=True)
        self._web.update(labels={"heeded": "no"}, settle=False)
        self._services.create([headless], settle=False)
        self._web.update(annotations={"heeded": "no"}, settle=False)
        self._web.update(labels={}, settle=False)
        self._heard(before, services=3)

    def _stalled(self) -> Scrape:
        """Have a sync stall, and changes wait for the next; what was said meanwhile."""
        begun, done = self._count(BEGUN), self._count(DONE)
        with self._hinder("stalling"):
            self._endpoint()
            by_time("a sync begins", lambda: self._count(BEGUN) > begun, _PATIENCE)
            before = scrape(self._node)
            self._web.update(session_affinity="None", settle=False)
            self._endpoint()
            found = self._heard(before, services=1, slices=1)
        by_time("both syncs are done", lambda: self._count(DONE) >= done + 2, _PATIENCE)
        return found

    def _heard(self, before: Scrape, *, services: int, slices: int = 0) -> Scrape:
        """What is said once so many more changes of Services, in each family, and of slices are
        counted.
        """

        def look() -> Scrape | None:
            move = Move(before, scrape(self._node))
            heard = move.grown(f"{_CHANGES}service_changes_total") >= services * len(FAMILIES)
            heard &= move.grown(f"{_CHANGES}endpoint_changes_total") >= slices
            return move.after if heard else None

        found = by_time("changes are counted", look, _PATIENCE)
        assert found
        return found

    def _idle(self) -> bool:
        """Whether every sync that was asked for is done."""
        return scrape(self._node).written and self._count(BEGUN) == self._count(DONE)

    def _count(self, what: re.Pattern[str]) -> int:
        """So many syncs of ``FAMILY`` are told of in the log. Where no family is told they are all
        of it: once it is idle, the other has nothing to synchronise for.
        """
        told = syncs(self._node, what, self._position)
        return len(told) - told.count(OTHER)

    def _clock(self) -> int:
        return int(self._node.run(["date", "+%s"]).stdout)
