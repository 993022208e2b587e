"""Sequences of operations, drawn by Hypothesis' state machine: it switches kinds of operations off
for whole sequences, so that those that are left meet more often (swarm testing).
"""

from __future__ import annotations

import itertools
import operator
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from conformance.census.combinations.axes import AXES, CONDITIONS, HINTS, Row
from conformance.census.sequences.operations import (
    PLAIN,
    Change,
    Create,
    Delete,
    Operation,
    Restart,
    Step,
    There,
    Zone,
)

BEGUN: Final = 3
"""Services that a sequence begins with."""

BEFORE_RESTART: Final = 20
"""Operations at least before the proxy is restarted, once in a sequence at most: it takes a second.
"""

_PLACES: Final = ("here", "also-here", "near", "far")
_PORTS: Final = tuple(each for each in AXES["ports"] if "SCTP" not in each)


def _entry(parts: tuple[str, str, tuple[str, ...]]) -> str:
    place, condition, hints = parts
    return f"{place}:{condition}{''.join(f'@{each}' for each in hints)}"


def _any(axis: str) -> st.SearchStrategy[Any]:
    return st.sampled_from(AXES[axis])


_ENDPOINTS: Final = st.one_of(
    st.fixed_dictionaries({"endpoints": _any("endpoints")}),
    st.lists(
        st.tuples(
            st.sampled_from(_PLACES), st.sampled_from(CONDITIONS), st.sampled_from(HINTS)
        ).map(_entry),
        unique_by=lambda entry: entry.partition(":")[0],
        max_size=len(_PLACES),
    ).map(lambda entries: {"endpoints": " ".join(entries), "hints": "as drawn"}),
)

_CHANGES: Final[dict[str, st.SearchStrategy[Any]]] = {
    **{axis: _any(axis) for axis in AXES if axis not in {"load_balancer_class", "families"}},
    "ports": st.sampled_from(_PORTS),
    **{axis: st.booleans() for axis, value in PLAIN.items() if value is False},
}
"""What each axis may become; the others can only be said of a Service when it is made."""


def _row(*axes: str) -> st.SearchStrategy[Row]:
    """A value of one axis of these."""
    return st.one_of(*(st.fixed_dictionaries({axis: _CHANGES[axis]}) for axis in axes))


_ROWS: Final[st.SearchStrategy[Row]] = st.builds(
    operator.or_,
    st.fixed_dictionaries(
        {},
        optional={
            **{axis: values for axis, values in _CHANGES.items() if axis != "labelled"},
            "families": _any("families"),
        },
    ),
    _ENDPOINTS,
)
"""What is said of a Service when it is made."""


@dataclass(frozen=True)
class Size:
    """How large sequences are."""

    slots: int = 8
    """How many Services there are, at most."""
    together: int = 6
    """How many operations are settled together, at most."""
    moves: int = 3
    """How often the node gets another zone, at most: it is waited for apart."""
    length: int = 50
    """How many operations are drawn; some of them find nothing to do, and are left out."""


class Recording(RuleBasedStateMachine):
    """Records operations, each of which finds something to do, and where they are settled."""

    size: Size

    def __init__(self) -> None:
        super().__init__()
        self.there = There({})
        self.steps: list[Step] = []
        self.together: list[Operation] = []
        self.done = 0
        self.moves = 0
        self.restarted = False

    def _do(self, operation: Operation) -> None:
        following = operation.after(self.there)
        if following == self.there and not isinstance(operation, Create | Restart):
            return
        self.there = following
        self.together.append(operation)
        self.done += 1
        if len(self.together) == self.size.together:
            self._settle()

    def _settle(self) -> None:
        if self.together:
            self.steps.append(tuple(self.together))
        self.together = []

    def _one(self, data: st.DataObject) -> int:
        """One of the Services that are there."""
        number: int = data.draw(st.sampled_from(sorted(self.there.rows)))
        return number

    @initialize(rows=st.lists(_ROWS, min_size=BEGUN, max_size=BEGUN))
    def begin(self, rows: Sequence[Row]) -> None:
        """Make the first Services."""
        for number, row in enumerate(rows):
            self._do(Create(number, row))

    @precondition(lambda self: len(self.there.rows) < self.size.slots)
    @rule(data=st.data(), row=_ROWS)
    def create(self, data: st.DataObject, row: Row) -> None:
        """Make a Service."""
        free = [each for each in range(self.size.slots) if each not in self.there.rows]
        self._do(Create(data.draw(st.sampled_from(free)), row))

    @precondition(lambda self: self.there.rows)
    @rule(data=st.data(), row=_ROWS)
    def create_anew(self, data: st.DataObject, row: Row) -> None:
        """Delete one and make another of its name and ports at once."""
        self._do(Create(self._one(data), row))

    @precondition(lambda self: self.there.rows)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        """Delete one."""
        self._do(Delete(self._one(data)))

    @precondition(lambda self: self.there.rows)
    @rule(data=st.data(), row=_ENDPOINTS)
    def change_endpoints(self, data: st.DataObject, row: Row) -> None:
        """Endpoints come and go, with their conditions and hints."""
        self._do(Change(self._one(data), row))

    @precondition(lambda self: self.there.rows)
    @rule(data=st.data(), row=_row("hints", "slices", "retargeted", "publish_not_ready_addresses"))
    def change_slices(self, data: st.DataObject, row: Row) -> None:
        """Slices are cut otherwise, or say something else."""
        self._do(Change(self._one(data), row))

    @precondition(lambda self: self.there.rows)
    @rule(data=st.data(), row=_row("internal_traffic_policy", "external_traffic_policy"))
    def change_policy(self, data: st.DataObject, row: Row) -> None:
        """A traffic policy becomes another."""
        self._do(Change(self._one(data), row))

    @precondition(lambda self: self.there.rows)
    @rule(data=st.data(), row=_row("type", "external", "external_ips", "ingress"))
    def change_frontends(self, data: st.DataObject, row: Row) -> None:
        """A Service gets another type or other addresses."""
        self._do(Change(self._one(data), row))

    @precondition(lambda self: self.there.rows)
    @rule(data=st.data(), row=_row("ports", "moved"))
    def change_ports(self, data: st.DataObject, row: Row) -> None:
        """A Service gets other ports."""
        self._do(Change(self._one(data), row))

    @precondition(lambda self: self.there.rows)
    @rule(
        data=st.data(),
        row=_row("session_affinity", "ranges", "traffic_distribution", "topology_mode"),
    )
    def change_manners(self, data: st.DataObject, row: Row) -> None:
        """Whom a Service serves, and how it chooses."""
        self._do(Change(self._one(data), row))

    @precondition(lambda self: self.there.rows)
    @rule(data=st.data(), row=_row("labelled"))
    def change_label(self, data: st.DataObject, row: Row) -> None:
        """A Service is left to another proxy, or taken back."""
        self._do(Change(self._one(data), row))

    @precondition(lambda self: self.moves < self.size.moves)
    @rule(zone=st.sampled_from(("zone-a", "zone-b", "zone-c")))
    def change_zone(self, zone: str) -> None:
        """The node gets another zone."""
        self.moves += zone != self.there.zone
        self._do(Zone(zone))

    @precondition(lambda self: self.done >= BEFORE_RESTART and not self.restarted)
    @rule()
    def restart(self) -> None:
        """The proxy is restarted."""
        self.restarted = True
        self._do(Restart())

    @precondition(lambda self: len(self.together) >= self.size.together * 2 // 3)
    @rule()
    def settle(self) -> None:
        """What was done so far is to be in force."""
        self._settle()


def drawn(number: int, operations: int, size: Size) -> Iterator[Sequence[Step]]:
    """Sequences of so many operations in all, the same for the same ``number``."""
    left = operations
    for turn in itertools.count():
        for steps in _recorded(f"{number} {turn}", left, size):
            cut = _cut(steps, left)
            left -= sum(map(len, cut))
            yield cut
            if not left:
                return


def _recorded(key: str, operations: int, of_size: Size) -> list[Sequence[Step]]:
    """Some sequences, without those of little variety that Hypothesis begins with."""
    found = list[Sequence[Step]]()

    class Drawing(Recording):
        size = of_size

        def teardown(self) -> None:
            self._settle()
            found.append(self.steps)

    run_state_machine_as_test(
        seed(zlib.crc32(key.encode()))(Drawing),
        settings=settings(
            max_examples=2 * operations // of_size.length + 8,
            stateful_step_count=of_size.length,
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return [each for each in found if _variety(each) > of_size.length // 3]


def _variety(steps: Sequence[Step]) -> int:
    return len({str(each) for step in steps for each in step})


def _cut(steps: Sequence[Step], operations: int) -> Sequence[Step]:
    """The first so many operations."""
    cut = list[Step]()
    for step in steps:
        cut.append(step[: operations - sum(map(len, cut))])
    return [each for each in cut if each]
