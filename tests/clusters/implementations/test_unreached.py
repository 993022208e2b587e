"""The list of what no test reaches, and why."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import pytest

from clusters.build import artifacts
from clusters.implementation import Implementation, load
from clusters.implementations import unreached
from clusters.implementations.unreached import Unreached
from specification.errors import ImplementationError

if TYPE_CHECKING:
    from pathlib import Path


def listed(folder: Path, text: str) -> Implementation:
    """kube-proxy with that list."""
    (folder / "listed.toml").write_text(text)
    return msgspec.structs.replace(load("kube-proxy"), path=folder / "x", unreached="listed.toml")


def test_reasons_are_read_of_one_version(tmp_path: Path) -> None:
    known = listed(
        tmp_path,
        '[[unreached]]\nfunctions = ["a.*", "b.F"]\nbranches = ["if"]\nreason = "why"\n'
        '[[unreached]]\nfunctions = ["c.F"]\nreason = "new"\nversions = ">=1.37"\n',
    )
    always = Unreached(("a.*", "b.F"), "why", ("if",))
    assert unreached.of(known, "v1.36.3") == [always]
    assert unreached.of(known, "v1.37.2") == [always, Unreached(("c.F",), "new", (), ">=1.37")]
    assert unreached.of(msgspec.structs.replace(known, unreached=""), "v1.36.3") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[unreached]]\n", "number 1: functions is missing"),
        ('[[unreached]]\nfunctions = ["a"]\nreason = "b"\nwho = "c"\n', "number 1: who is unknown"),
        (
            '[[unreached]]\nfunctions = ["a"]\nreason = "b"\nversions = "new"\n',
            "'new' is none",
        ),
        ("[[reached]]\n", "reached is unknown"),
    ],
)
def test_a_list_that_is_not_right_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ImplementationError, match=said):
        unreached.of(listed(tmp_path, text), "v1.36.3")


def test_every_reason_of_kube_proxys_list_is_a_sentence() -> None:
    for each in unreached.of(load("kube-proxy"), f"v{artifacts.PINNED}"):
        assert re.fullmatch(r"[A-Z].+\.", each.reason), each.reason
        for pattern in each.functions:
            assert pattern.startswith(("pkg/proxy", "cmd/kube-proxy")), pattern
