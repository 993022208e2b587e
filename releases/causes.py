"""Why two versions of a proxy differ: what its file and its expected failures say of one of them
and not of the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusters.implementations import expectations, versions
from reports.model.releases import Cause
from specification.rules import allowed  # noqa: F401  (the clauses are known once it is there)
from specification.rules.case import CLAUSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clusters.implementation import Implementation, Lacking
    from clusters.implementations.expectations import Expectation
    from reports.records.results import Requirement


class Listed:
    """What is written down of an implementation's versions: see `reports.model.releases.Known`.

    Raises ImplementationError where its expected failures cannot be read.
    """

    def __init__(self, chosen: Implementation) -> None:
        self._lacking = chosen.lacking
        self._failures = expectations.of(chosen)

    def by_chance(self, requirement: str, mode: str, case: str, of: Sequence[str]) -> bool:
        """Whether a case is known to fail now and then in all of these versions."""
        return any(
            each.by_chance and all(map(each.applies_to, of))
            for each in self._failures
            if each.covers(requirement, mode, case)
        )

    def causes(
        self, requirement: Requirement, mode: str, case: str, between: tuple[str, str]
    ) -> tuple[Cause, ...]:
        """The expected failures that one of two versions has, and the feature that one lacks."""
        failures = (e for e in self._failures if e.covers(requirement.id, mode, case))
        lacking = (e for e in self._lacking if requirement.feature in e.features)
        return _telling([*failures, *lacking], between)

    def clauses(
        self, names: Sequence[str], requirements: Sequence[Requirement], between: tuple[str, str]
    ) -> tuple[Cause, ...]:
        """The features that one of two versions lacks, of those that clauses of the specification
        are asked about by their requirements.
        """
        stated = {name for clause in names for name in CLAUSES[clause].requirements}
        features = {each.feature for each in requirements if each.id in stated and each.feature}
        return _telling([each for each in self._lacking if features & each.features], between)


def _telling(
    entries: Sequence[Expectation | Lacking], between: tuple[str, str]
) -> tuple[Cause, ...]:
    """Those of the entries that are about one of two versions alone."""
    found = (
        Cause(
            each.reason,
            each.reference,
            read=bool(each.read) and any(versions.cover(each.read, version) for version in between),
        )
        for each in entries
        if len({versions.cover(each.versions, version) for version in between}) > 1
    )
    return tuple(dict.fromkeys(found))
