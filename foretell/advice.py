"""What to know of a feature that is lost or gained: advice.toml."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Final

import msgspec

from clusters.implementations import tables
from foretell.traits import Trait
from specification.errors import ImplementationError
from specification.features import FEATURES

FILE: Final = Path(__file__).with_name("advice.toml")


class Advice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of one feature; see the file's head."""

    concerns: frozenset[Trait] = frozenset()
    instead_of: str = ""
    """The feature that a proxy of the same kind may have in its place: both are told of at once."""
    decided: bool = False
    """Whether the specification of new connections asks for it."""
    unless: tuple[str, ...] = ()
    only_with: tuple[str, ...] = ()
    lost: str = ""
    gained: str = ""

    def is_idle(self, said: frozenset[str]) -> bool:
        """Whether nobody can tell that it is there, by the fields that the configuration of who
        claims it says.
        """
        useless = bool(self.only_with and said) and not said.intersection(self.only_with)
        return useless or bool(said.intersection(self.unless))


@functools.cache
def of(feature: str) -> Advice:
    """That of a feature; an empty one where there is none."""
    return _all().get(feature, Advice())


@functools.cache
def _all() -> dict[str, Advice]:
    found = {
        name: tables.made(table, Advice, f"{FILE}: [{name}]", ImplementationError)
        for name, table in tables.read(FILE, ImplementationError).items()
    }
    for name, each in found.items():
        for feature in (name, each.instead_of or name):
            if feature not in FEATURES:
                raise ImplementationError(f"{FILE}: no feature is called {feature!r}")
    return found
