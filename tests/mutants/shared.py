"""Tests with mutants that share a node: each is run with every mutant that its requirement is to
kill, and with none.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

import pytest

from clusters.kind.node.container import DIRECTORY
from tests.mutants import MUTANTS

if TYPE_CHECKING:
    from tests.mutants.mutant import Mutant

ON_KIND = DIRECTORY / "mutants"
"""What wrappers need on a kind node: the programs in ``bin`` and, in ``settings``, whom they are to
mutate.
"""


def name_of(mode: str, mutant: Mutant) -> str:
    """What tells a mutant's tests, and its record, from all others'."""
    return f"{mode}-{mutant.name}"


def parametrize(
    metafunc: pytest.Metafunc, scope: Literal["function", "session"], *anew: str
) -> None:
    """Give a test the fixture ``mutant``, with each mutant of MUTANT_MODE that MUTANTS names
    (in the environment, comma-separated) and that its requirement is to kill. Of the fixtures
    ``anew`` those that it uses are set up again with each.
    """
    mark = metafunc.definition.get_closest_marker("requirement")
    mode, names = os.environ["MUTANT_MODE"], os.environ["MUTANTS"].split(",")
    chosen = [each for each in MUTANTS[mode] if each.name in names]
    killers = [each for each in chosen if mark and mark.args[0] in each.killed_by]
    if killers:
        controls = [each for each in chosen if not each.killed_by]
        fixtures = ["mutant", *(each for each in anew if each in metafunc.fixturenames)]
        metafunc.parametrize(
            fixtures,
            [
                pytest.param(*[each] * len(fixtures), id=name_of(mode, each))
                for each in controls + killers
            ],
            indirect=True,
            scope=scope,
        )
