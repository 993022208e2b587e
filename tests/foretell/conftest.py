"""The modes that are seen on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.foretell.cases import IN_MACHINES, Modes

if TYPE_CHECKING:
    import pytest

_PAIRS: Final[list[Modes]] = [
    ("iptables", "nftables"),
    (IN_MACHINES, "nftables"),
    (IN_MACHINES, "iptables"),
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have each mode, and each two of them, in turn."""
    every = metafunc.config.option.every_mutant
    if "modes" in metafunc.fixturenames:
        pairs = [pair for pair in _PAIRS if every or IN_MACHINES not in pair]
        metafunc.parametrize("modes", pairs, ids="-".join, scope="module")
    if "mode" in metafunc.fixturenames:
        modes = dict.fromkeys(mode for pair in _PAIRS for mode in pair)
        metafunc.parametrize("mode", [each for each in modes if every or each != IN_MACHINES])
