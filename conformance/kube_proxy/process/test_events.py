"""What kube-proxy tells the API of itself: events about its Node."""

from __future__ import annotations

from typing import Final

from conformance.vocabulary import Object, World, by_time, requirement, source

_SOON: Final = 240.0  # seconds after which an event should have been written


def _events(world: World) -> dict[str, Object]:
    """The events about the node under test that kube-proxy has written, by their names."""
    return {
        each["metadata"]["name"]: each
        for each in world.cluster.api.list_all("events")
        if each["involvedObject"]["name"] == world.node.name
        and each["reportingComponent"] == "kube-proxy"
    }


@requirement(
    "life-events", source("cmd/kube-proxy/app/server.go", "birthCry"), feature="kube-proxy-modes"
)
def test_start_is_told(world: World) -> None:
    """At each start, kube-proxy must write an event Starting about its Node."""
    before = _events(world)
    world.node.proxy.restart()

    def told() -> bool:
        new = [each for name, each in _events(world).items() if name not in before]
        kinds = {(each["reason"], each["involvedObject"]["kind"], each["type"]) for each in new}
        return ("Starting", "Node", "Normal") in kinds

    by_time("an event tells of the start", told, _SOON)
