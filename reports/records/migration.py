"""The records of a rehearsal's result file, `switches.jsonl`: what became of the traffic around a
node while that was switched from one mode to another. A file without its footer is no result.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from reports.records.base import (
    Count,
    Digest,
    Implementation,
    Interval,
    Mode,
    Part,
    Record,
    Seconds,
    Suite,
    Text,
)

SWITCHES: Final = "switches.jsonl"
"""What the file of a rehearsal is called in its folder."""

SWITCHES_VERSION: Final = 1

Way = Literal["in-place", "cleanup", "drained", "failed"]
"""in-place: the proxy ends and starts in the other mode, as where its pods are replaced; cleanup:
what it has programmed is removed in between, by itself with --cleanup; drained: in-place, with no
pod on the node; failed: the other mode cannot start, and the old one starts again.
"""


class RehearsalHeader(Record, frozen=True, kw_only=True, tag="rehearsal"):
    """What was asked for, and of which machine. The first line."""

    schema: int = SWITCHES_VERSION
    """Version of this schema."""
    rehearsal: Text
    """Name of the rehearsal, unique: its start and a random part."""
    started: str = ""
    suite: Suite
    """The suite that measured."""
    seed: int
    """Seed of everything random."""
    command: tuple[str, ...] = ()
    """The command line as it was given."""
    reproduce: str = ""
    """One shell command that repeats the rehearsal."""
    implementation: Implementation
    """The Service proxy that was switched."""
    modes: Annotated[tuple[Mode, ...], msgspec.Meta(min_length=2)]
    """From the first to the second, and back."""
    machine: dict[str, str | float] = msgspec.field(default_factory=dict)
    """Where: see the header of a bench."""
    emulated: bool = False
    """Whether the node's processor was: its times compare with none but their own."""
    repetitions: Count = 0
    """How often each way was gone, there and back."""
    services: Count = 0
    """How many Services there were, and ..."""
    asked: str = ""
    """... whose they are like; empty: the rehearsal's own."""

    @property
    def subject(self) -> str:
        """Name and version of the proxy."""
        return self.implementation.subject


class FlowsSeen(Part, frozen=True, kw_only=True):
    """What became of flows that were open before the switch and that have carried a message again
    and again, until everything was in force after it.
    """

    protocol: Text
    family: Text
    vantage: Text
    """Where their client is."""
    frontend: Text
    """The kind of what they were opened to."""
    opened: Count
    kept: Count
    """Answered in the end, by the endpoint that they were opened to."""
    stalled: Count
    """Of these, how many had no answer for a while."""
    stall: Interval | None = None
    """Seconds of the longest such while."""
    reset: Count
    """Reset by somebody."""
    moved: Count
    """Delivered to another endpoint."""
    silent: Count
    """Not answered in the end, and not reset."""


class Opened(Part, frozen=True, kw_only=True):
    """What became of new connections that were opened all the time."""

    protocol: Text
    family: Text
    vantage: Text
    frontend: Text
    tried: Count
    failed: Count
    """How many came out neither as is right before the switch nor as is right after it."""
    window: Interval | None = None
    """Seconds from the first that failed to the last; null where none did."""
    became: dict[str, Count] = msgspec.field(default_factory=dict)
    """What those came to that failed."""


class Switch(Record, frozen=True, kw_only=True, tag="switch"):
    """One switch of the node, under traffic."""

    way: Way
    before: Mode
    after: Mode
    """Which mode was to run; where the way is `failed`, the old one does in the end."""
    repetition: Count
    steps: dict[str, Seconds] = msgspec.field(default_factory=dict)
    """How long each step took; settle: from the last of them until everything was in force, as a
    change showed that was written after it.
    """
    complaint: str = ""
    """How --cleanup ended, where that was not with exit code 0."""
    rounds: Count
    """How often everything was tried meanwhile."""
    flows: tuple[FlowsSeen, ...] = ()
    opened: tuple[Opened, ...] = ()
    affinity_of: Count = 0
    """How many clients of Services with affinity were served before and after ..."""
    affinity_lost: Count = 0
    """... and how many of them had another endpoint after it."""
    wrong_before: tuple[str, ...] = ()
    """What came out otherwise than is right before it began, and is not counted: some of it."""
    wrong: tuple[str, ...] = ()
    """What came out otherwise than is right once all was over: some of it."""
    wrong_later: tuple[str, ...] = ()
    """The same after a change: all Services have other endpoints, one is gone, another is new."""
    left: dict[str, Count] = msgspec.field(default_factory=dict)
    """What was in the kernel afterwards that is not there where the mode that runs is the only one
    that ever did: how many of each kind.
    """


class RehearsalEnd(Record, frozen=True, kw_only=True, tag="end"):
    """How the rehearsal ended. The last line."""

    finished: str = ""
    seconds: Seconds = 0.0
    exit: Count
    switches: Count
    """Number of switch records."""
    lines: Count = 0
    """Number of lines before this one."""
    digest: Digest | None = None
    """SHA-256 over all bytes before this line."""


AnyRecord = RehearsalHeader | Switch | RehearsalEnd
"""One line of a rehearsal's result file."""
