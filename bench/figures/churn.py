"""How many changes a second a proxy sustains: endpoints of other Services change ever faster until
a change takes twice as long to show as in quiet times.
"""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from bench import costs
from bench.figures.changes import Spending, endpoint_turns, timed
from bench.figures.measured import Measured

if TYPE_CHECKING:
    from typing import Self

    from bench.population import Target
    from bench.sites import Site, Sites

RATES: Final = (1, 2, 5, 10, 20, 50, 100, 200)
"""Changes a second that are tried, from the slowest to the first that is too fast."""

_LOOKS: Final = 8  # changes timed at each rate
_SETTLING: Final = 0.5  # seconds of churn before the first look
_DOUBLED: Final = 2.0


class _Churn:
    """Changes endpoints of random Services, ``rate`` of them a second, while the block runs, and
    then back; not those of Service ``spared``, which is looked at.
    """

    def __init__(self, site: Site, rate: float, spared: int, seed: int) -> None:
        self._site, self._rate = site, rate
        self._others = [target for target in site.targets if target.number != spared]
        self._changed: set[Target] = set()
        self._choose = random.Random(seed)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="churn")
        self.written = 0
        """Changes so far."""
        self._began = 0.0
        self.problem: Exception | None = None

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self._site.population.write_back(self._changed)

    @property
    def mended(self) -> int:
        """Changes by which everything was put back."""
        return len(self._changed)

    @property
    def rate(self) -> float:
        """Changes a second so far: the API server may take fewer than it is asked to."""
        return self.written / max(time.monotonic() - self._began, 1e-9)

    def _run(self) -> None:
        due = self._began
        while not self._end.wait(max(0.0, due - time.monotonic())):
            target = self._choose.choice(self._others)
            self._changed.add(target)
            try:
                self._site.population.write(target, target.endpoints(2 + self.written % 2))
            except Exception as problem:  # noqa: BLE001  (raised where it is waited for)
                self.problem = problem
                return
            self.written += 1
            due += 1 / self._rate


class Found(NamedTuple):
    """The fastest rate that was sustained; ``limit`` says what came of the next."""

    rate: float
    limit: str
    changes: int
    """How many were made in all."""


def measure_churn(sites: Sites, repetitions: int, seed: int) -> list[Measured]:
    """The churn that each mode sustains, found that often, in changes a second; what a change costs
    the proxy then, and the memory that it has taken by the end.
    """
    found: dict[Site, list[Found]] = {}
    tools: dict[Site, float] = {}
    spendings = {site: Spending(site) for site in sites}
    for turn in range(repetitions):
        for site in sites.shuffled():
            with costs.ToolMemory(site.node) as memory:
                found.setdefault(site, []).append(_sustained(site, seed + turn))
            tools[site] = max(tools.get(site, 0.0), memory.peak)
    measured = []
    for site, results in found.items():
        rates = [each.rate for each in results]
        peaks = {
            "proxy-churn": costs.peak_memory(site.node, site.proxy.pid),
            "tools-churn": tools[site],
        }
        measured += [
            Measured("churn", site.mode, "1/s", rates, note=results[-1].limit),
            spendings[site].of(sum(each.changes for each in results), "churn"),
            *(
                Measured("peak-memory", site.mode, "MiB", [peak], target)
                for target, peak in peaks.items()
                if peak
            ),
        ]
    return measured


def _sustained(site: Site, seed: int) -> Found:
    number = len(site.targets) // 2
    quiet = _latency(site, number, _LOOKS)
    best, changes = 0.0, _LOOKS
    for rate in RATES:
        with _Churn(site, rate, number, seed) as churn:
            time.sleep(_SETTLING)
            latency = _latency(site, number, _LOOKS)
            achieved = churn.rate
        _latency(site, number, 2)  # what was written before is in force when this is seen
        changes += churn.written + churn.mended + _LOOKS + 2
        if churn.problem:
            raise churn.problem
        if latency > _DOUBLED * quiet:
            told = f"at {achieved:.3g}/s a change took {1000 * latency:.0f} ms"
            return Found(best, f"{told}, in quiet times {1000 * quiet:.0f} ms", changes)
        best = achieved
        if achieved < 0.6 * rate:
            return Found(best, "the API server takes no more changes a second", changes)
    return Found(best, "no faster churn was tried", changes)


def _latency(site: Site, number: int, looks: int) -> float:
    """The median time, in seconds, that a change of an endpoint takes to show."""
    turns = endpoint_turns(number)
    return float(np.median([timed(site, turns[look % 2].change(site)) for look in range(looks)]))
