"""Operations on the API, on the node and on its proxy, as data, and what is there after them.

Any operations in any order make sense: one that finds nothing to do does nothing, so that whatever
is left of a sequence is a sequence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any, Final

from conformance.census.combinations.axes import AXES, Row
from conformance.census.combinations.shapes import Cast, service
from specification.addresses import FAMILIES, IPAddress
from specification.places import ZONES
from specification.rules.frontends import PROXY_NAME
from specification.services import ServiceSpec

PLAIN: Final[Row] = {
    **{axis: values[0] for axis, values in AXES.items()},
    "families": FAMILIES,
    "labelled": False,
    "external": False,
    "moved": False,
    "retargeted": False,
}
"""A Service of which nothing is said: an axis of the wide space each, whether it is labelled for
another proxy, whether it has external IPs, and whether its ports have other numbers, or targets.
"""

_MOVED: Final = 2
_RETARGETED: Final = 5_000


@dataclass(frozen=True)
class There:
    """What is there: the rows of Services by number, and the zone of the node under test."""

    rows: Mapping[int, Row]
    zone: str = ZONES[0]

    def with_row(self, number: int, row: Row | None) -> There:
        """The same with another Service of that number, or without one."""
        others = {each: found for each, found in self.rows.items() if each != number}
        return replace(self, rows=others if row is None else {**others, number: row})


@dataclass(frozen=True)
class Create:
    """Make a Service and its slices; anew, where there is one."""

    number: int
    row: Row

    def after(self, there: There) -> There:
        """What is there after it."""
        return there.with_row(self.number, {**PLAIN, **self.row})

    def __str__(self) -> str:
        return f"create web-{self.number}{_said(self.row)}"


@dataclass(frozen=True)
class Delete:
    """Delete a Service and its slices."""

    number: int

    def after(self, there: There) -> There:
        """What is there after it."""
        return there.with_row(self.number, None)

    def __str__(self) -> str:
        return f"delete web-{self.number}"


@dataclass(frozen=True)
class Change:
    """Change what a row says, of the Service or of its slices."""

    number: int
    row: Row

    def after(self, there: There) -> There:
        """What is there after it."""
        old = there.rows.get(self.number)
        return there if old is None else there.with_row(self.number, {**old, **self.row})

    def __str__(self) -> str:
        said = ", ".join(f"{axis} becomes {_word(value)}" for axis, value in self.row.items())
        return f"change web-{self.number}: {said}"


@dataclass(frozen=True)
class Zone:
    """Have the node under test be in another zone."""

    zone: str

    def after(self, there: There) -> There:
        """What is there after it."""
        return replace(there, zone=self.zone)

    def __str__(self) -> str:
        return f"the node's zone becomes {self.zone}"


@dataclass(frozen=True)
class Restart:
    """Restart the proxy."""

    def after(self, there: There) -> There:
        """What is there after it."""
        return there

    def __str__(self) -> str:
        return "restart the proxy"


@dataclass(frozen=True)
class Outage:
    """Have the proxy's API server be away while the rest of a step is done: the first of it."""

    def after(self, there: There) -> There:
        """What is there after it."""
        return there

    def __str__(self) -> str:
        return "the proxy's API server is away until all is done that is settled next"


Operation = Create | Delete | Change | Zone | Restart | Outage
Step = tuple[Operation, ...]
"""Operations one after the other, which are settled together."""


def after(operations: Iterable[Operation], there: There) -> There:
    """What is there after all of them."""
    for each in operations:
        there = each.after(there)
    return there


def numbered(steps: Sequence[Step]) -> list[str]:
    """The operations in words, in their order, and where they were settled."""
    lines = list[str]()
    for step in steps:
        lines += [f"{number}. {each}" for number, each in enumerate(step, len(lines) + 1)]
        lines[-1] += "; settle"
    return lines


def spec(number: int, row: Row, cast: Cast, aside: int = 0) -> ServiceSpec:
    """The Service of a row, with a name and ports that those of other numbers do not have; its
    external IPs and load balancer's IPs are so far aside from those of the census.
    """
    made = service(number, row, cast)
    ports = tuple(
        replace(
            each,
            number=each.number + _MOVED * row["moved"],
            target=(each.target or 0) + _RETARGETED * row["retargeted"],
        )
        for each in made.ports
    )
    return replace(
        made,
        name=f"sequence-{number}",
        ports=ports,
        external_ips=tuple(_beside(each, aside) for each in made.external_ips if row["external"]),
        load_balancer_ips=tuple(
            replace(each, ip=each.ip and _beside(each.ip, aside)) for each in made.ingress
        ),
        labels={PROXY_NAME: "other"} if row["labelled"] else {},
    )


def _beside(address: IPAddress | str, aside: int) -> IPAddress:
    return ip_address(str(address)) - aside


def _said(row: Row) -> str:
    said = (f"{axis} {_word(value)}" for axis, value in row.items() if value != PLAIN[axis])
    return "".join(f"{', ' if number else ': '}{each}" for number, each in enumerate(said))


def _word(value: Any) -> str:
    if isinstance(value, tuple):
        return " and ".join(map(str, value))
    return repr(value) if value in ("", None) else str(value)
