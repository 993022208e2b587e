"""The records of a conformance run's result file, `results.jsonl`.

Times are in seconds unless said otherwise, timestamps are ISO 8601 in UTC.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

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
    plain,
)
from reports.records.decisions import Census, Tally
from specification.features import Level

RESULTS: Final = "results.jsonl"
"""What the file of a conformance run is called in its folder."""

SCHEMA_VERSION: Final = 1

PASSED: Final = "passed"
FAILED: Final = "failed"
ERROR: Final = "error"
EXPECTED_FAILURE: Final = "expected-failure"
UNEXPECTED_PASS: Final = "unexpected-pass"  # noqa: S105  no password; strict: counts as failed
UNCLAIMED: Final = "unclaimed"
SKIPPED: Final = "skipped"

Outcome = Literal[
    "error", "failed", "unexpected-pass", "skipped", "expected-failure", "passed", "unclaimed"
]
# From worst to best: the word of several results together is the first of these among them.
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)
LEVELS: Final[tuple[Level, ...]] = get_args(Level)


class Origin(Part, frozen=True, kw_only=True):
    """What a mode of a joined file was in the run that it comes from."""

    implementation: Implementation
    mode: Mode
    reproduce: str = ""
    """One shell command that repeats that run."""


class Header(Record, frozen=True, kw_only=True, tag="run"):
    """What was asked for. The first line."""

    schema: int = SCHEMA_VERSION
    """Version of this schema."""
    run: Text
    """Name of the run, unique: its start and a random part."""
    started: str = ""
    suite: Suite
    """The suite that judged."""
    seed: int | None = None
    """Seed of everything random in the run; the same seed repeats it."""
    command: tuple[str, ...] = ()
    """The command line as it was given."""
    reproduce: str = ""
    """One shell command that repeats the run."""
    implementation: Implementation
    """The Service proxy under test."""
    modes: Annotated[tuple[Mode, ...], msgspec.Meta(min_length=1)]
    """The modes under test; each gets a verdict."""
    areas: tuple[str, ...] = ()
    """Names of the areas in the order of reading; empty in older files."""
    provider: str = ""
    """What nodes are: netns, vm, kind, or several of these."""
    sampled: tuple[Mode, ...] = ()
    """Modes in which one case of each requirement was run, chosen by the seed, not all."""
    false_alarm_budget: float | None = None
    """Largest allowed probability that a perfect proxy fails any statistical test of the run."""
    workers: Count | None = None
    """Number of parallel test processes."""
    origins: dict[str, Origin] = msgspec.field(default_factory=dict)
    """Where each mode comes from, in a file that was joined from several."""

    def origin(self, mode: str) -> Origin:
        """The proxy under test in a mode, and what the mode is called by that."""
        itself = Origin(implementation=self.implementation, mode=mode, reproduce=self.reproduce)
        return self.origins.get(mode, itself)

    @property
    def subject(self) -> str:
        """Name and version of the proxy."""
        return self.implementation.subject


class Requirement(Record, frozen=True, kw_only=True, tag="requirement"):
    """One sentence that a Service proxy must satisfy, with the test function that judges it."""

    id: Text
    """Stable identifier, such as cip-tcp-dnat."""
    area: Text
    """The area it belongs to, such as clusterip."""
    level: Level
    """core: any proxy; extended: an optional feature; mode: the inside of one mode; provisional:
    announced, core in a later release.
    """
    feature: str | None = None
    """Name by which an implementation claims it."""
    reference: str = ""
    """Where the requirement comes from."""
    statement: str = ""
    """The requirement itself."""
    test: str = ""
    """Node id of the test function, without parameters."""
    conformance: str = ""
    """Release of Kubernetes from which its conformance tests will demand it, such as 1.41; empty
    where none is announced.
    """


class Fingerprint(Record, frozen=True, kw_only=True, tag="fingerprint"):
    """What really ran: the proof, from one worker, of the implementation and mode under test."""

    mode: Mode
    claimed_mode: str
    """The mode that the proxy was told to run in."""
    observed_mode: str | None = None
    """The mode seen in the kernel's rules; null when the implementation gives no way to see it.
    Another mode than claimed makes the verdict an error.
    """
    implementation: str = ""
    version: str = ""
    """What the binary says of itself."""
    sha256: str = ""
    kernel: str = ""
    system: dict[str, str] = msgspec.field(default_factory=dict)
    """What the node is: its kind (netns, vm, kind), kernel and, of a machine, accelerator (kvm,
    tcg), of a kind node, the node image and the version of Kubernetes in it (image, kubernetes).
    """
    tools: dict[str, str] = msgspec.field(default_factory=dict)
    """Versions of the tools on the node, such as nft."""
    cpu: str = ""
    cpus: Count | None = None
    python: str = ""
    worker: str = ""
    node: str = ""
    sysctls: dict[str, int | str] = msgspec.field(default_factory=dict)
    """Settings of the node's kernel that matter."""
    seconds_to_ready: Seconds | None = None
    """From the proxy's start to its readiness."""


class Statistic(Part, frozen=True, kw_only=True):
    """One statistical test: observed against expected numbers of connections per endpoint, or the
    like. A number that is not finite is null.
    """

    name: str
    discipline: str = ""
    """How endpoints are chosen: random, round-robin or hash."""
    test: str = ""
    """Name of the statistical test, such as G-test."""
    counts: tuple[float, ...] = ()
    expected: tuple[float, ...] = ()
    statistic: float | None = None
    p: float | None = None
    alpha: float | None = None
    """The test fails when p is below this."""
    smallest_skew: float | None = None
    """The smallest relative deviation that this sample could reveal."""
    sample: Count | None = None
    """Number of connections looked at."""

    @property
    def passed(self) -> bool:
        """Whether chance explains the sample, at the alpha that it is held to."""
        return self.p is not None and self.alpha is not None and self.p > self.alpha


class Measurement(Part, frozen=True, kw_only=True):
    """A measured quantity: each sample, and so each quantile, is an interval in `unit`."""

    name: str
    unit: str
    """s for seconds."""
    samples: tuple[Interval, ...] = ()
    p50: Interval | None = None
    p95: Interval | None = None
    p99: Interval | None = None
    note: str = ""
    emulated: bool = False
    """The node's processor was emulated: comparable with no other measurement."""


class Series(Part, frozen=True, kw_only=True):
    """How something grew in the lives of a proxy, from one start to the next."""

    name: str
    unit: str
    lives: tuple[tuple[tuple[float, float], ...], ...]
    """Of each life its samples: hours since the first began, and how much there was."""
    slope: float
    """How much more there is after 1,000 operations more, on a straight line through each life."""
    bounds: Interval
    """Between which that is, with a confidence of 95 %."""
    tolerated: float
    """So much more after 1,000 operations is none."""


class Comparison(Part, frozen=True):
    """What was expected of something, and what was seen of it."""

    expected: str
    seen: str

    @property
    def told(self) -> str:
        """In a line, what was seen first: `saw dropped; expected delivered`."""
        return f"saw {self.seen}; expected {self.expected}"


class Result(Record, frozen=True, kw_only=True, tag="result"):
    """What became of one case of a requirement in one mode."""

    requirement: str
    """Id of a requirement of this file."""
    mode: Mode
    case: str = ""
    """Family, protocol, vantage and so on; empty when there is but one case."""
    nodeid: str = ""
    """pytest's name of the test, with parameters."""
    outcome: Outcome
    """passed; failed; error: the run could not judge; expected-failure: failed as the
    implementation's own list says; unexpected-pass: passed although listed, counts as failed;
    unclaimed: needs a feature that the implementation does not claim; skipped: claimed but not run,
    for the reason given.
    """
    reason: str = ""
    """Why, for a reader in a hurry. A pass has a reason where the same is known to fail on nodes of
    another kind.
    """
    details: str = ""
    """Expectation and observation at length."""
    seconds: Seconds = 0.0
    """Time of the test itself."""
    setup_seconds: Seconds = 0.0
    """Time of its preparation."""
    worker: str = ""
    statistics: tuple[Statistic, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    series: tuple[Series, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    """Expectations that were not met, each beside what was seen."""
    decisions: Tally | None = None
    """Those of a census that concern the requirement, where it looks at one."""
    evidence: Annotated[str, msgspec.Meta(pattern="^[^/]")] | None = None
    """Folder of captures, rules, objects and logs, relative to the result file."""

    def __post_init__(self) -> None:
        """Leave colours to the reports."""
        msgspec.structs.force_setattr(self, "reason", plain(self.reason).strip())
        msgspec.structs.force_setattr(self, "details", plain(self.details).rstrip())


class RunError(Record, frozen=True, kw_only=True, tag="error"):
    """Something outside any test went wrong; no verdict can be given."""

    mode: str | None = None
    """The mode concerned; null: all of them."""
    message: str
    details: str = ""

    def __post_init__(self) -> None:
        """Leave colours to the reports."""
        message = plain(self.message).strip() or "unknown error"
        msgspec.structs.force_setattr(self, "message", message)
        msgspec.structs.force_setattr(self, "details", plain(self.details).rstrip())


class End(Record, frozen=True, kw_only=True, tag="end"):
    """How the run ended. The last line."""

    finished: str = ""
    seconds: Seconds = 0.0
    """Time of the whole run."""
    exit: Count
    """Exit code of the run: 0 conforms, 1 does not, 2 or more could not judge."""
    interrupted: bool = False
    """Whether the run was stopped before its end; its verdict is then an error."""
    statistical_tests: Count = 0
    """Number of statistical tests that were judged."""
    false_alarm_bound: float | None = None
    """Upper bound of the probability that a perfect proxy fails any of them."""
    lines: Count = 0
    """Number of lines before this one."""
    digest: Digest | None = None
    """SHA-256 over all bytes before this line. Where it is there, an edited file is refused."""


AnyRecord = Header | Requirement | Fingerprint | Census | Result | RunError | End
"""One line of a result file."""
