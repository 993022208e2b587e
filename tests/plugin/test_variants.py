from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from fixtures.clients.client import Client, LabClient
from fixtures.plugin.variants import Variants, over
from specification.addresses import FAMILIES


def cases(variants: Variants) -> dict[str, dict[str, Any]]:
    """The cases by name, and what each sets."""
    names, rows = variants.mark.args
    return {row.id: dict(zip(names, row.values, strict=True)) for row in rows}


def test_axes_are_combined_in_the_order_of_their_names() -> None:
    assert cases(over(protocol="TCP", vantage=["pod", "outside"])) == {
        "TCP-pod": {"protocol": "TCP", "vantage": "pod"},
        "TCP-outside": {"protocol": "TCP", "vantage": "outside"},
    }


def test_all_at_once_is_one_case() -> None:
    assert cases(over(families=FAMILIES, protocols=["TCP", "UDP"])) == {
        "dual-stack-TCP-UDP": {"family": "IPv4", "families": FAMILIES, "protocol": "TCP"}
    }


def test_alternatives_follow_each_other() -> None:
    either = over(
        {"vantage": "pod", "protocol": ["TCP", "UDP"]}, {"vantage": "outside", "protocol": "TCP"}
    )
    assert list(cases(either)) == ["pod-TCP", "pod-UDP", "outside-TCP"]


def test_configurations_have_names() -> None:
    assert cases(over(configuration={"fast": {"period": "1s"}})) == {
        "fast": {"configuration": {"period": "1s"}}
    }


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ({"protcol": "TCP"}, "no axis is called 'protcol'"),
        ({"protocol": "ICMP"}, "protocol is one or some of TCP, UDP, SCTP, not 'ICMP'"),
        ({"vantage": []}, "vantage is one or some of pod,"),
        ({"family": ["IPv4", "IPv5"]}, "family is one or some of IPv4, IPv6, not"),
        ({}, "the same axes"),
    ],
)
def test_what_does_not_exist_is_refused(axes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        over(**axes)


def test_alternatives_have_the_same_axes() -> None:
    with pytest.raises(ValueError, match="the same axes"):
        over({"vantage": "pod"}, {"protocol": "TCP"})


def _crowded(crowd: object) -> None: ...
def _flowing(client: LabClient) -> None: ...
def _plain(client: Client) -> None: ...


@pytest.mark.parametrize("test", [_crowded, _flowing])
def test_what_the_lab_plays_is_not_on_the_node(test: Callable[..., None]) -> None:
    over(vantage=["pod", "outside"])(test)
    with pytest.raises(ValueError, match=f"{test.__name__}: .* cannot be on the node"):
        over(vantage=["pod", "node"])(test)


def test_plain_clients_may_be_on_the_node() -> None:
    over(vantage="node")(_plain)
