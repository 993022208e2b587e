"""Services of many tests that are made at once and settled once, and what is left of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from clusters.simulated.api import MemoryApi
from fixtures.services.stage import Arranged, Stage
from specification.addresses import FAMILIES
from specification.errors import RefusedError, SettleError
from tests.services.test_services import Settled, services

if TYPE_CHECKING:
    from clusters.api import Api
    from fixtures.services.canary import Canary
    from fixtures.services.services import Services


@pytest.fixture
def api() -> MemoryApi:
    return MemoryApi()


@pytest.fixture
def settled() -> Settled:
    return Settled()


@pytest.fixture
def stage(api: MemoryApi, settled: Settled) -> Stage:
    return Stage(cast("Api", api), cast("Canary", settled))


def names(api: MemoryApi) -> list[str]:
    return [each["metadata"]["name"] for each in api.of("services")]


def wanting(made: Services, *sizes: int, shared: str = "") -> Arranged:
    return Arranged(made, [made.spec(size, families=FAMILIES) for size in sizes], shared)


def test_all_that_tests_have_arranged_is_settled_once(
    api: MemoryApi, settled: Settled, stage: Stage
) -> None:
    first, second = services(api, settled, "IPv4"), services(api, settled, "IPv6")
    stage.set({"first": wanting(first, 1, 2), "second": wanting(second, 3)})
    assert settled.asked == [(1, FAMILIES, False)]
    assert len(names(api)) == 3
    assert "first" in stage
    assert stage.take("first") is first
    assert "first" not in stage
    assert [len(web.endpoints) for web in first.arranged] == [1, 2]
    assert [len(web.endpoints) for web in second.arranged] == [3]
    assert {web.seconds_to_settle for web in first.arranged} == {0.25}


def test_what_was_taken_is_closed_by_its_test_and_the_rest_by_the_stage(
    api: MemoryApi, settled: Settled, stage: Stage
) -> None:
    first, second = services(api, settled, "IPv4"), services(api, settled, "IPv4")
    stage.set({"first": wanting(first, 1), "second": wanting(second, 1)})
    taken, left = first.arranged[0].name, second.arranged[0].name
    stage.take("first")
    stage.clear()
    api.finish_deletions()
    assert names(api) == [taken] != [left]
    first.close()
    api.finish_deletions()
    assert api.objects == {}


def test_shared_services_are_made_once_and_cannot_be_changed(
    api: MemoryApi, settled: Settled, stage: Stage
) -> None:
    first, second = services(api, settled, "IPv4"), services(api, settled, "IPv6")
    other = services(api, settled, "IPv4")
    stage.set(
        {
            "first": wanting(first, 2, shared="two"),
            "second": wanting(second, 2, shared="two"),
            "third": wanting(other, 3, shared="three"),
        }
    )
    assert len(names(api)) == 2
    (one,), (same,), (another,) = first.arranged, second.arranged, other.arranged
    assert one.name == same.name != another.name
    assert one.cluster_ip != same.cluster_ip  # each in its own family
    for change in (
        lambda: same.set_endpoints([]),
        lambda: same.update(type="NodePort"),
        same.delete,
    ):
        with pytest.raises(TypeError, match="is shared"):
            change()
    stage.take("first").close()
    api.finish_deletions()
    assert len(names(api)) == 2  # the second has it still
    stage.clear()
    api.finish_deletions()
    assert api.objects == {}


def test_the_next_stage_takes_the_place_of_the_last(
    api: MemoryApi, settled: Settled, stage: Stage
) -> None:
    stage.set({"first": wanting(services(api, settled, "IPv4"), 1, shared="one")})
    before = names(api)
    stage.set({"second": wanting(services(api, settled, "IPv4"), 1, shared="one")})
    assert len(names(api)) == 1
    assert names(api) != before
    assert "first" not in stage


def test_nothing_stands_that_was_refused_or_does_not_settle(
    api: MemoryApi, settled: Settled, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = services(api, settled, "IPv4"), services(api, settled, "IPv4")

    def refuse(*_: object) -> None:
        raise RefusedError("no", 422)

    with monkeypatch.context() as patch:
        patch.setattr(api, "create", refuse)
        with pytest.raises(RefusedError):
            stage.set({"good": wanting(good, 1), "bad": wanting(bad, 1)})

    def never(**_: object) -> float:
        raise SettleError("not seen")

    monkeypatch.setattr(settled, "settle", never)
    with pytest.raises(SettleError):
        stage.set({"good": wanting(good, 1), "bad": wanting(bad, 1)})
    assert "good" not in stage
    assert "bad" not in stage
    api.finish_deletions()
    assert api.objects == {}
