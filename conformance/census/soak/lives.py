"""The lives of a proxy: from a start to the next one, with changes all the time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Final

from conformance.census.sequences.drawing import Size, drawn
from conformance.census.sequences.operations import Outage, Restart, Step
from conformance.census.sequences.playing import Player
from conformance.census.sequences.session import Session
from conformance.census.soak.growth import Sample
from fixtures.world.world import World

_TOGETHER: Final = 1_000
"""Operations for which sequences are drawn at a time."""

OUTAGE: Final = 4
"""In one sequence of so many the API server is away."""

MEBIBYTE: Final = 2**20

FORGOTTEN: Final = 1.5
"""Seconds after which a change has what is left deleted: kube-proxy empties chains at once, and has
the first sync a second later, or one after it, delete them (see nft-stale-chains).
"""


@dataclass(frozen=True)
class Quantity:
    """What of a proxy must not grow."""

    name: str
    unit: str
    tolerated: float
    """So much more after 1,000 operations is none: less cannot be told from how memory is used
    anyhow, or would take a proxy months to notice.
    """


MEMORY: Final = Quantity("resident memory", "MiB", 1.0)
FILES: Final = Quantity("open files", "files", 1.0)
GOROUTINES: Final = Quantity("goroutines", "goroutines", 1.0)
RULES: Final = Quantity("rules", "lines", 1.0)


@dataclass
class Lives:
    """What became of a proxy over its lives."""

    world: World
    player: Player
    size: Size
    seed: int
    began: float = field(default_factory=monotonic)
    lives: int = 0
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    """By the name of the quantity."""

    def live(self, session: Session, seconds: float) -> None:
        """Play one life of so many seconds, or a little more. In the midst of one sequence of so
        many the API server is away, where there is a relay on the way to it. It ends with a restart
        after a last sequence, whose flows must outlive it.
        """
        end, done = monotonic() + seconds, 0
        self.lives += 1
        for number, steps in enumerate(self._sequences(), 1):
            last = monotonic() > end
            played = _unbroken(steps)
            if self.player.relay and number % OUTAGE == 0 and played:
                midst = len(played) // 2
                played[midst] = (Outage(), *played[midst])
            session.run([[*played, *([(Restart(),)] if last else [])]])
            if last or session.wrong:
                return
            done += sum(map(len, steps))
            self._look(done)

    def _sequences(self) -> Iterator[Sequence[Step]]:
        for turn in itertools.count():
            yield from drawn(self.seed + 1_000 * self.lives + turn, _TOGETHER, self.size)

    def _look(self, done: int) -> None:
        """Take a sample of everything, where nothing is there but what always is, and what was is
        forgotten.
        """
        self.player.clear()
        sleep(FORGOTTEN)
        self.world.canary.settle(syncs=2, removed=False)
        hours = (monotonic() - self.began) / 3_600
        for name, value in looked_at(self.world).items():
            found = self.samples.setdefault(name, [])
            found.append(Sample(hours, self.lives, done, value))


def looked_at(world: World) -> Mapping[str, float]:
    """How much of everything a proxy has now, by the names of the quantities; goroutines where its
    metrics tell of them.
    """
    proxy, node = world.node.proxy, world.node
    status = dict(
        line.split(":", 1) for line in node.read(f"/proc/{proxy.pid}/status").splitlines()
    )
    files = node.run(["ls", f"/proc/{proxy.pid}/fd"]).stdout.split()
    found = {
        MEMORY.name: int(status["VmRSS"].removesuffix("kB")) * 1024 / MEBIBYTE,
        FILES.name: float(len(files)),
        RULES.name: float(len(proxy.rules().splitlines())),
    }
    if (routines := proxy.metrics().get("go_goroutines")) is not None:
        found[GOROUTINES.name] = routines
    return found


def _unbroken(steps: Sequence[Step]) -> list[Step]:
    """The same without restarts."""
    kept = (tuple(each for each in step if not isinstance(each, Restart)) for step in steps)
    return [step for step in kept if step]
