"""A case: one attempt in one state. Its rules are clauses: named functions that say whether they
apply, and leave their names where they do.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from specification.addresses import Family, family_of
from specification.attempts import Attempt
from specification.places import Place
from specification.rules.frontends import Frontend, claims
from specification.rules.state import State

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class Case:
    """An attempt, where its client is, and the clauses that had a say in it so far."""

    state: State
    attempt: Attempt
    place: Place
    because: list[str] = field(default_factory=list)

    @property
    def family(self) -> Family:
        """The family of its addresses."""
        return family_of(self.attempt.target.address)

    @functools.cached_property
    def claims(self) -> tuple[Frontend, ...]:
        """The frontends at the address that it is sent to."""
        return claims(self.state).get((self.attempt.protocol, self.attempt.target), ())

    @property
    def frontend(self) -> Frontend:
        """The frontend that it is addressed to; ``LookupError`` where it is addressed to none."""
        return self.claims[0]

    @property
    def addressed(self) -> bool:
        """Whether it is addressed to a frontend."""
        return bool(self.claims)

    @property
    def from_node(self) -> bool:
        """Whether its client is a process on the node, by whichever of its addresses."""
        client = self.attempt.client.address
        return client in self.state.node.addresses or client.is_loopback

    @property
    def from_pod(self) -> bool:
        """Whether its client is a pod, as far as the proxy can tell."""
        if self.state.configuration.pods_by_link:
            return self.place == "pod"
        networks = self.state.configuration.pod_networks
        return any(self.attempt.client.address in each for each in networks)


@dataclass(frozen=True)
class Clause(Generic[P, T]):
    """A rule by its name: what states it, and the requirements that test it."""

    rule: Callable[Concatenate[Case, P], T]
    requirements: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of its function."""
        return self.rule.__name__

    def __call__(self, case: Case, *arguments: P.args, **options: P.kwargs) -> T:
        """What the rule says of a case; where that is something, its name is noted."""
        said = self.rule(case, *arguments, **options)
        if said:
            case.because.append(self.name)
        return said


CLAUSES: dict[str, Clause[..., Any]] = {}
"""All clauses by name."""


def clause(
    *requirements: str,
) -> Callable[[Callable[Concatenate[Case, P], T]], Clause[P, T]]:
    """Make a clause of a function, whose docstring is the rule with its source."""

    def make(rule: Callable[Concatenate[Case, P], T]) -> Clause[P, T]:
        made = Clause(rule, requirements)
        CLAUSES[made.name] = made
        return made

    return make
