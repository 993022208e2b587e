"""What is said of features is said of those that there are."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from clusters.implementation import load
from conformance.census.combinations import axes, imagined, shapes
from fixtures.lab.hosts import Hosts
from foretell import advice
from foretell.decisions import Asked
from foretell.shapes import NODE
from specification.errors import ImplementationError
from specification.features import FEATURES
from tests.foretell.cases import between, service

DECIDED = {name for name in FEATURES if advice.of(name).decided}


def test_the_specification_decides_by_what_is_said_to_be_decided() -> None:
    """Of many Services, those features are asked for and no others: what is not decided by them is
    told by what a Service has.
    """
    cast = shapes.Cast.of(Hosts(), NODE)
    specs = shapes.services(axes.drawn(300, random.Random(1)), cast)
    features = Asked(FEATURES)
    for _ in imagined.decisions(specs, NODE, features):
        pass
    assert features.asked == DECIDED


def test_all_that_modes_have_apart_is_known() -> None:
    """No feature that one of kube-proxy's modes lacks is left without a word of what to do, or of
    whom it concerns, but these: whoever loses them loses nothing that is asked for.
    """
    proxy = load("kube-proxy")
    apart = set[str]()
    for one, other in itertools.combinations(proxy.modes, 2):
        apart |= proxy.claimed(one) ^ proxy.claimed(other)
    silent = {name for name in apart if advice.of(name) == advice.Advice()}
    extended = {name for name in silent if FEATURES[name].level != "mode"}
    assert extended == {
        "icmp-refusals",
        "independent-choice",
        "minimal-sync-period",
        "source-port-reuse",
        "unallocated-ip-dropped",
        "uniform-distribution",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[nobody]\nlost = "a"\n', "no feature is called 'nobody'"),
        ('[sctp]\nlots = "a"\n', "lots is unknown"),
        ('[sctp]\nconcerns = ["IPX"]\n', "concerns"),
    ],
)
def test_a_mistake_in_the_file_is_told(
    text: str, message: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "advice.toml"
    file.write_text(text)
    monkeypatch.setattr(advice, "FILE", file)
    for each in (advice.of, advice._all):
        each.cache_clear()
    with pytest.raises(ImplementationError, match=message):
        advice.of("sctp")
    for each in (advice.of, advice._all):
        each.cache_clear()


def test_what_is_told_has_something_to_do_or_is_a_loss() -> None:
    found = between("iptables", "nftables", service())
    assert all(each.matters for each in found.changes if each.advice)
