"""What a census costs: each moment of it belongs to one phase."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

PHASES: Final = ("creation", "settling", "probing", "judging", "removal")
"""What it is made of, in the order in which it is done."""


@dataclass
class Account:
    """Seconds by phase, and connections tried. Where a phase is begun during another, that one goes
    on when it has ended.
    """

    probes: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PHASES, 0.0))
    clock: Callable[[], float] = time.monotonic
    _running: list[str] = field(default_factory=list)
    _since: float = 0.0

    @contextlib.contextmanager
    def during(self, phase: str) -> Iterator[None]:
        """Have what is done meanwhile belong to ``phase``.

        Raises:
            KeyError: there is no such phase.
        """
        if phase not in self.seconds:
            raise KeyError(phase)
        self._note()
        self._running.append(phase)
        try:
            yield
        finally:
            self._note()
            self._running.pop()

    def _note(self) -> None:
        now = self.clock()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        self._since = now
