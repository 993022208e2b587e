"""What Cilium's agent needs besides a command line: the calls are in clusters/embedded/hooks.py."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusters.implementations.cilium import agent, resources
from clusters.implementations.cilium.place import Place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Cilium:
    """The agents of a cluster's nodes, each call a method; what goes wrong is raised."""

    def __init__(self) -> None:
        self._binary = Path()
        self._places: dict[str, Place] = {}

    def cluster_up(self, *, kubeconfig: str, folder: str, binary: str) -> None:
        """Make what all agents wait for, and forget what ended runs have left."""
        del folder
        self._binary = Path(binary)
        Place.check(self._binary.parent)
        Place.remove_abandoned()
        resources.create(json.loads(Path(kubeconfig).read_text()), self._binary.parent / "crds")

    def node_up(
        self,
        *,
        node: str,
        netns: str,
        directory: str,
        interfaces: Mapping[str, str],
        **_others: object,
    ) -> Mapping[str, Any]:
        """Make the place in which a node's agent runs."""
        place = Place(node, netns, Path(directory), self._binary.parent, interfaces["pod"])
        self._places[node] = place
        return {"enter": place.enter, "values": place.values}

    def enter(self, *, node: str, pid: int) -> None:
        """Have a process count as one of the node's."""
        self._places[node].take(pid)

    def pods(self, *, node: str, pods: Sequence[Mapping[str, str]]) -> None:
        """Tell the agent of pods."""
        place = self._places[node]
        agent.announce(place.socket, place.pod_interface, pods)

    def evidence(self, *, node: str) -> Mapping[str, str]:
        """What the agent has programmed, as it says itself; where it has ended, that it has."""
        place = self._places[node]
        tool = str(self._binary.with_name("cilium-dbg"))
        texts = []
        for shown in (["service", "list"], ["bpf", "lb", "list"]):
            argv = [*place.enter, tool, *shown]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
            texts.append(f"# cilium-dbg {' '.join(shown)}\n{done.stdout}{done.stderr}")
        return {"text": "\n".join(texts)}

    def node_down(self, *, node: str) -> None:
        """Leave nothing of a node's."""
        if place := self._places.pop(node, None):
            place.close()

    def close(self) -> None:
        """Leave nothing at all."""
        for node in list(self._places):
            self.node_down(node=node)


def main() -> None:
    """Answer calls until there are no more."""
    with contextlib.closing(Cilium()) as cilium:
        for line in sys.stdin:
            request = json.loads(line)
            try:
                call = getattr(cilium, request.pop("call").replace("-", "_"))
                answer: dict[str, Any] = {"ok": call(**request) or {}}
            except Exception as problem:  # noqa: BLE001  (whatever it is, it is the answer)
                answer = {"error": f"{type(problem).__name__}: {problem}"}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
