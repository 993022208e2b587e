"""Which cases of a requirement are run where its node is emulated."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from fixtures.plugin import requirement, sampling

if TYPE_CHECKING:
    import pytest


def cases(test: str, **parameters: list[Any]) -> list[Any]:
    """Items such as pytest collects for a parametrised test."""
    return [
        SimpleNamespace(
            nodeid=f"{test}[{'-'.join(map(str, values))}]",
            callspec=SimpleNamespace(params=dict(zip(parameters, values, strict=True))),
        )
        for values in product(*parameters.values())
    ]


def chosen(items: list[Any], seed: int) -> list[str]:
    run, left_out = sampling.sample(items, frozenset({"ipvs"}), seed)
    assert sorted(each.nodeid for each in [*run, *left_out]) == sorted(i.nodeid for i in items)
    return [each.nodeid for each in run]


def test_one_case_of_each_requirement_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirement, "of", bool)
    families, vantages = ["IPv4", "IPv6"], ["pod", "node", "outside"]
    items = cases("a", mode=["ipvs", "iptables"], family=families, vantage=vantages)
    items += cases("b", mode=["ipvs"], configuration=[None, {"x": 1}])
    runs = [chosen(items, seed) for seed in range(60)]
    for run in runs:
        assert [each.partition("-")[0] for each in run].count("a[ipvs") == 1
        assert [each.partition("-")[0] for each in run].count("a[iptables") == 6
        assert [each.partition("-")[0] for each in run].count("b[ipvs") == 1
    assert {each for run in runs for each in run} == {each.nodeid for each in items}
    assert chosen(items, 5) == chosen(items, 5)


def test_what_is_no_requirement_is_run_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirement, "of", lambda _: None)
    items = cases("a", mode=["ipvs"], family=["IPv4", "IPv6"])
    assert len(chosen(items, 1)) == 2
