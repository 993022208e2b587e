"""Runs the tasks of a bench: grows the Services, has the proxies run, repeats what was disturbed,
and writes down what came of it.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from bench import machine
from bench.plan import CONFIGURATIONS, SAME
from clusters.build.progress import duration
from reports.records.figures import Gap
from specification.errors import UnmeasurableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.figures.measured import Measured
    from bench.journal import Journal
    from bench.plan import Task
    from bench.sites import Site, Sites

_TRIES: Final = 2  # of a task in which a change did not show in time: the machine may be busy
_CLOSING: Final = 45.0  # seconds that are kept for what follows from the figures
_PER_SERVICE: Final = 0.0125  # seconds that making one takes for each mode, roughly


class Runner:
    """Does what is left to do of ``tasks``; ``tell`` is called with words about how far it is."""

    def __init__(
        self,
        sites: Sites,
        journal: Journal,
        tasks: Sequence[Task],
        tell: Callable[[str], None],
        *,
        minutes: float,
    ) -> None:
        self._sites = sites
        sites.deadline = time.monotonic() + 60 * minutes - _CLOSING
        self._journal = journal
        self._seed = journal.header.seed
        self._tell = tell
        self._running: dict[Site, str] = {}
        self._began = time.monotonic()
        self._left = [task for task in tasks if not journal.has(task, self._able(task))]
        self._size = 0
        self._spent = 0.0  # of what was estimated
        self._total = self._estimate(self._left)

    def run(self) -> None:
        """Do it all.

        Raises ResultFileError where the file cannot be written, and what the clusters raise.
        """
        while self._left:
            task = self._left[0]
            if self._able(task):
                self._do(task)
            self._left.pop(0)
            self._spent = self._total - self._estimate(self._left)

    def derive(self) -> None:
        """Write down what follows from the figures."""
        from bench.derive import conclusions as derive  # scipy takes seconds to load

        figures, modes = self._journal.figures, list(self._sites.modes)
        for records in (derive.ratios, derive.fits, derive.crossovers):
            for record in records(figures, modes, self._seed):
                self._journal.add(record)

    def _do(self, task: Task) -> None:
        if task.services != self._size:
            self._grow(task)
        tries = 0
        while self._able(task):
            self._sites.take_part(self._able(task))
            tries += 1
            try:
                if not task.starts:
                    self._have_running(task.series)
                self._say(task, task.title)
                self._sites.task_deadline = self._share(task)
                measured, state = self._measure(task)
            except UnmeasurableError as problem:
                self._sites.repair()
                self._running = {}  # start anew
                if task.starts or tries == _TRIES:
                    self._give_up(task, problem)
                    tries = 0
                continue
            for each in measured:
                self._journal.add(each.as_figure(task.services, task.series, state, self._seed))
            if task.starts:
                self._running = dict.fromkeys(self._sites, task.series)
            return

    def _measure(self, task: Task) -> tuple[list[Measured], dict[str, float]]:
        """What a task finds, and what the machine was like; once more if it was disturbed, should
        that be quickly done.
        """
        found, state = self._watched(task)
        if machine.disturbed(state) and task.repeatable:
            again, later = self._watched(task)
            if machine.trouble(later) < machine.trouble(state):
                return again, later
        return found, state

    def _watched(self, task: Task) -> tuple[list[Measured], dict[str, float]]:
        watch = machine.Watch()
        found = task.run(self._sites)
        return found, watch.state()

    def _grow(self, task: Task) -> None:
        self._say(task, "making Services")
        for site in self._sites:
            site.proxy.stop()  # making them takes long enough without it
        self._running = {}
        self._sites.grow(task.services)
        self._size = task.services

    def _have_running(self, series: str) -> None:
        for site in self._sites:
            if self._running.get(site) != series or not site.proxy.running:
                site.start_cold(CONFIGURATIONS[series])
                self._running[site] = series

    def _give_up(self, task: Task, problem: UnmeasurableError) -> None:
        """Go on without a mode."""
        mode = str(problem.mode)
        self._sites.modes[mode].proxy.stop()
        reason = f"{task.title}: {problem}"
        gap = Gap(mode=mode, services=task.services, series=task.series, reason=reason)
        self._journal.add(gap)
        self._tell(f"{mode} cannot be measured at {task.services:,} Services: {problem}")

    def _able(self, task: Task) -> list[str]:
        """The modes that can be measured: not those that could not with fewer Services."""
        gaps = self._journal.gaps()
        return [mode for mode in self._sites.modes if task.services < gaps.get(mode, math.inf)]

    def _estimate(self, tasks: Sequence[Task]) -> float:
        modes = len(self._sites.modes)
        making = max((task.services for task in tasks), default=0) - self._size
        return modes * (sum(task.seconds for task in tasks) + max(0, making) * _PER_SERVICE)

    def _pace(self) -> float:
        """How much longer all has taken so far than was estimated."""
        elapsed = time.monotonic() - self._began
        return elapsed / self._spent if self._spent > 10 else 1.0

    def _share(self, task: Task) -> float:
        """Until when a task may repeat things: its part of the time that is left, where that will
        not do for all.
        """
        now, rest = time.monotonic(), self._total - self._spent
        left = max(0.0, self._sites.deadline - now)
        if self._pace() * rest <= left:
            return math.inf
        return now + left * self._estimate([task]) / rest

    def _say(self, task: Task, doing: str) -> None:
        """One line: what is done now, and how long it will all take yet, judging by the past."""
        expected = max(1.0, self._pace() * (self._total - self._spent))
        left = duration(min(expected, max(60.0, self._sites.deadline - time.monotonic())))
        series = "" if task.series == SAME else ", the modes' own sync periods"
        self._tell(f"{task.services:,} Services: {doing}{series}; about {left} left")
