"""One decision: an attempt to open a connection, and what is right of it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

from conformance.census import space
from specification.attempts import Attempt
from specification.places import Vantage
from specification.rules.allowed import Allowed
from specification.rules.frontends import Frontend
from specification.services import ServiceSpec

TRIES: Final = 12
"""New connections for each decision that chance or memory has a part in."""

FEW: Final = 4
"""New connections for each other one."""

MISSED: Final = 2.0**-35
"""Where one of the endpoints that may be chosen had none of them, so many more are tried that this
is at least the probability that chance leaves one out again.
"""

EVERYWHERE: Final[tuple[Vantage, ...]] = ("pod", "outside", "node", "remote-pod")
ON_WIRES: Final = tuple(each for each in EVERYWHERE if each != "node")
"""Where no process on the node is needed."""


@dataclass(frozen=True)
class Decision:
    """One attempt, what is allowed, and what is wrong with what was seen of its tries."""

    frontend: Frontend
    attempt: Attempt
    vantage: Vantage
    allowed: Allowed
    wrong: str
    """What was seen, where that is not allowed, or where an endpoint that may be chosen never was;
    else empty.
    """
    seen: str = ""
    """The kinds of outcomes that were seen."""

    @property
    def service(self) -> ServiceSpec:
        """The Service that is addressed."""
        return self.frontend.service

    @property
    def external(self) -> bool:
        """Whether it is addressed by a frontend that externalTrafficPolicy rules."""
        return not self.frontend.internal

    @property
    def sticky(self) -> bool:
        """Whether its tries must all get one endpoint, since they are one client's."""
        return self.service.session_affinity != "None"

    @property
    def tries(self) -> int:
        """How many connections are tried."""
        return TRIES if len(self.allowed.deliveries) > 1 else FEW

    @property
    def chance(self) -> float:
        """The probability that it seems wrong, though it is right."""
        chosen = 0 if self.sticky else len(self.allowed.deliveries)
        return MISSED * chosen * (1 - 1 / chosen) ** TRIES if chosen else 0.0

    @functools.cached_property  # each requirement of a census asks for it
    def states(self) -> frozenset[str]:
        """The states of its endpoints, in words."""
        return space.states(self.service)

    @property
    def effort(self) -> tuple[int, ...]:
        """How much it takes to show it: the simplest come first."""
        service = self.service
        policies = service.internal_traffic_policy, service.external_traffic_policy
        return len(service.endpoints), policies.count("Local"), EVERYWHERE.index(self.vantage)

    def __str__(self) -> str:
        return (
            f"{self.attempt.protocol} from {self.vantage} to the {self.frontend.kind}"
            f" {self.attempt.target} of a Service with {space.in_words(self.service)}"
        )
