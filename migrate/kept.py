"""Flows that are open while a node is switched, and what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from fixtures.clients.node_flows import NodeFlows
from fixtures.lab.frames import Kind
from fixtures.lab.sample import same_ends
from reports.records.base import Interval
from reports.records.migration import FlowsSeen

if TYPE_CHECKING:
    from fixtures.clients.flows import Flows
    from fixtures.lab.frames import Mask
    from specification.places import Vantage

_SHORTEST: Final = 0.2  # seconds: TCP_RTO_MIN of Linux


@dataclass
class Kept:
    """Flows of one client that stay open, some by each frontend."""

    flows: Flows | NodeFlows
    vantage: Vantage
    kinds: Sequence[str]
    """Of what they were opened to."""
    there: Mask = field(init=False)
    """Which were answered through the node as they were opened: the others never come by it
    again.
    """
    reset: Mask = field(init=False)
    moved: Mask = field(init=False)
    last: np.ndarray = field(init=False)
    """When each last had an answer: when the message was sent."""
    failing: np.ndarray = field(init=False)
    """When the first message was sent that had none since; not a number where it had one."""
    low: np.ndarray = field(init=False)
    high: np.ndarray = field(init=False)
    """Bounds of the longest time without an answer, in seconds."""

    def __post_init__(self) -> None:
        count = len(self.flows)
        self.there = self.flows.opened.is_served
        self.reset, self.moved = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
        self.last = np.full(count, time.monotonic())
        self.failing = np.full(count, np.nan)
        self.low, self.high = np.zeros(count), np.zeros(count)

    def exchange(self) -> None:
        """Send a message on each, and account for it."""
        sent = time.monotonic()
        sample, opened = self.flows.exchange(), self.flows.opened
        done = time.monotonic()
        there = same_ends(
            sample.endpoints, sample.endpoint_ports, opened.endpoints, opened.endpoint_ports
        )
        self.moved |= sample.is_delivered & ~there
        self.reset |= sample.is_replied(Kind.RESET)
        fine = sample.is_answered & there
        back = fine & ~np.isnan(self.failing)
        self.high[back] = np.maximum(self.high[back], done - self.last[back])
        self.failing[fine] = np.nan
        self.last[fine] = sent
        begun = ~fine & np.isnan(self.failing)
        self.failing[begun] = sent
        self.low[~fine] = np.maximum(self.low[~fine], sent - self.failing[~fine])

    @property
    def patience(self) -> float:
        """Seconds for which one that has no answer may still get it from what its kernel sends
        again: as long as it has had none, for that time doubles, and the shortest such time.
        """
        if not isinstance(self.flows, NodeFlows) or self.flows.opened.protocol != "TCP":
            return 0.0
        waiting = self.failing[self.there & ~self.reset & ~self.moved & ~np.isnan(self.failing)]
        return float(time.monotonic() - waiting.min()) + _SHORTEST if len(waiting) else 0.0

    def seen(self) -> Iterator[FlowsSeen]:
        """What became of them, by kind of frontend."""
        dead = self.reset | self.moved | ~np.isnan(self.failing)
        stalled = ~dead & (self.high > 0)
        kinds = np.array(self.kinds)
        for kind in dict.fromkeys(self.kinds):
            own = self.there & (kinds == kind)
            if not own.any():
                continue
            longest = [
                Interval(float(self.low[row]), float(self.high[row]))
                for row in np.flatnonzero(own & stalled)
            ]
            yield FlowsSeen(
                protocol=self.flows.opened.protocol,
                family=self.flows.opened.family,
                vantage=self.vantage,
                frontend=kind,
                opened=int(own.sum()),
                kept=int((own & ~dead).sum()),
                stalled=int((own & stalled).sum()),
                stall=max(longest, key=lambda each: each.high, default=None),
                reset=int((own & self.reset).sum()),
                moved=int((own & self.moved & ~self.reset).sum()),
                silent=int((own & dead & ~self.reset & ~self.moved).sum()),
            )
