"""Configurations of a proxy in which nothing comes into force."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.world.world import World
from specification.errors import SettleError
from tests.simulated.playing import player

STRANGE = {"detectLocalMode": "InterfaceNamePrefix"}


@pytest.fixture
def world() -> World:
    return player(1).world


def deaf(world: World, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Have nothing come into force; the configurations in which that was waited for."""
    waited: list[Any] = []

    def settle(**_: Any) -> float:
        waited.append(world.configuration)
        raise SettleError("not seen")

    monkeypatch.setattr(world.canary, "settle", settle)
    return waited


def test_nobody_waits_again_where_the_configuration_is_to_blame(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.configuration = STRANGE
    waited = deaf(world, monkeypatch)
    assert world.doubt()
    assert waited == [STRANGE]
    with pytest.raises(SettleError, match="as was found before"):
        world.hope()
    world.configuration = {"detectLocalMode": "ClusterCIDR"}
    world.hope()


def test_the_configuration_is_not_to_blame_where_it_settles_without_what_did_not(
    world: World,
) -> None:
    world.configure(STRANGE)
    world.doubt()
    world.hope()


def test_the_configuration_is_not_to_blame_where_the_proxy_has_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.configure(STRANGE)
    world.node.proxy.kill()
    waited = deaf(world, monkeypatch)
    world.doubt()
    world.hope()
    assert waited == []


def test_none_at_all_is_always_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    waited = deaf(world, monkeypatch)
    world.doubt()
    world.hope()
    assert waited == []
