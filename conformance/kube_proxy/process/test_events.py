"""What kube-proxy tells of itself at its start: in its log, and by events about its Node."""

from __future__ import annotations

from typing import Final

from conformance.vocabulary import Node, Object, World, by_time, issue, requirement, source

_SOON: Final = 240.0  # seconds after which an event should have been written
_BESIDE: Final = 10.0  # seconds in which those should be there that are told before another one


def _events(world: World) -> dict[str, Object]:
    """The events about the node under test that kube-proxy has written, by their names."""
    return {
        each["metadata"]["name"]: each
        for each in world.cluster.api.list_all("events")
        if each["involvedObject"]["name"] == world.node.name
        and each["reportingComponent"] == "kube-proxy"
    }


def _assert_told(world: World, before: dict[str, Object], *told: str, within: float) -> None:
    """By that time there is an event about the Node, not one of those ``before``, of this reason
    and type.
    """

    def new() -> bool:
        events = [each for name, each in _events(world).items() if name not in before]
        kinds = {(each["involvedObject"]["kind"], each["reason"], each["type"]) for each in events}
        return ("Node", *told) in kinds

    by_time(f"an event tells of {told[0]}", new, within)


@requirement(
    "life-events", source("cmd/kube-proxy/app/server.go", "birthCry"), feature="kube-proxy-modes"
)
def test_start_is_told(world: World) -> None:
    """At each start, kube-proxy must write an event Starting about its Node."""
    before = _events(world)
    world.node.proxy.restart()
    _assert_told(world, before, "Starting", "Normal", within=_SOON)


@requirement("life-default-mode-log", issue(139957), feature="default-mode-warning")
def test_default_mode_is_logged(bare_node: Node, mode: str) -> None:
    """Where no mode is configured, kube-proxy must warn of it in its log and name the mode that it
    takes.
    """
    position = bare_node.proxy.log_position()
    bare_node.proxy.start({"mode": None})
    lines = bare_node.proxy.log_since(position).splitlines()
    warnings = [line for line in lines if line.startswith(("W", "E")) and f"'{mode}'" in line]
    assert warnings, f"no warning names {mode}"


@requirement(
    "life-default-mode-event",
    source("cmd/kube-proxy/app/server_linux.go", "createProxier: KubeProxyDefaultMode"),
    feature="default-mode-warning",
)
def test_default_mode_is_told(world: World, bare_node: Node) -> None:
    """Where no mode is configured, kube-proxy must write an event KubeProxyDefaultMode about its
    Node that warns of it.
    """
    before = _events(world)
    bare_node.proxy.start({"mode": None})
    _assert_told(world, before, "Starting", "Normal", within=_SOON)
    _assert_told(world, before, "KubeProxyDefaultMode", "Warning", within=_BESIDE)
