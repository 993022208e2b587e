"""A node under traffic, switched there and back again and again."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from clusters.inspection.inventory import inventory, left_behind
from conformance.census import aims
from conformance.census.census import stored
from conformance.census.decision import EVERYWHERE
from conformance.census.sequences.known import told
from fixtures.world.traffic import between_looks, during
from fixtures.world.world import World, furnish
from migrate import services, ways
from migrate.traffic import Traffic
from reports.records.migration import Switch, Way
from specification.addresses import FAMILIES
from specification.places import Vantage
from specification.rules.state import Node as NodeState
from specification.rules.state import State

if TYPE_CHECKING:
    from clusters.contract import Cluster, Node
    from fixtures.services.service import Service
    from fixtures.services.services import Services
    from foretell.side import Side
    from specification.rules.frontends import Frontend
    from specification.services import ServiceSpec

Config = Mapping[str, Any]

_MOST: Final = 5
"""So many of what is wrong are written down for each switch."""


_CNI: Final = """
table inet cni {
    chain forward {
        type filter hook forward priority filter; policy accept;
        ct state established,related accept
    }
    chain postrouting { type nat hook postrouting priority srcnat; policy accept; }
}
"""
"""What a CNI plug-in has on every node in one form or another. Where nobody at all asks for the
state of connections, or none has a chain for NAT, the kernel forgets established flows, or how to
translate them.
"""


class Furnished(NamedTuple):
    """A node whose proxy runs, and the Services around it."""

    world: World
    make: Services
    webs: list[Service]


@contextlib.contextmanager
def furnished(
    cluster: Cluster,
    config: Config,
    modes: Iterable[str],
    listed: Sequence[ServiceSpec],
    seed: int,
) -> Iterator[Furnished]:
    """A node whose proxy runs with that configuration, and never has with another, in one of the
    ``modes`` that it is to have; ``listed`` are Services whose shapes its Services are to have:
    none for the rehearsal's own.
    """
    node = cluster.node()
    possible = node.proxy.implementation.modes
    exposed = any(possible[mode].stepwise for mode in modes)
    try:
        node.run(["nft", "-f", "-"], input=_CNI)
        node.proxy.start(config)
        world = furnish(cluster, node, seed, exposed=exposed)
        numbers = itertools.count(1)
        make = world.services(lambda: f"{node.name}-{next(numbers)}", "IPv4", "TCP", FAMILIES)
        try:
            wanted = (
                services.of_shapes(listed, make, world.hosts)
                if listed
                else services.of_each_kind(make)
            )
            webs = make.create(wanted)
            world.canary.settle(syncs=2)
            yield Furnished(world, make, webs)
        finally:
            make.close()
            world.close()
    finally:
        node.close()


class Rehearsal:
    """One node that is switched between two modes, with Services and traffic."""

    def __init__(
        self,
        around: Furnished,
        sides: Mapping[str, Side],
        configs: Mapping[str, Config],
        fresh: Mapping[str, Counter[str]],
    ) -> None:
        """``configs`` are those of the two modes, the one that the node begins with first;
        ``fresh`` is the inventory of a node on which only that mode has ever run.
        """
        self._world, self._make, self._webs = around
        self._sides = sides
        self._is_known = told(
            {each.requirement for side in sides.values() for each in side.failures}
        )
        self._node = self._world.node
        self._configs = configs
        self._fresh = fresh

    def __len__(self) -> int:
        return len(self._webs)

    @property
    def node(self) -> Node:
        """The node that is switched."""
        return self._node

    def switch(self, way: Way, before: str, after: str, repetition: int) -> Switch:
        """Switch the node, which runs in the mode ``before``, and account for all traffic.

        Raises:
            StartError: the proxy does not start.
            SettleError: nothing comes into force after it.
            UnmeasurableError: it starts where it was to fail.
        """
        world, drained = self._world, way == "drained"
        whole = [web.spec for web in self._webs]
        vantages: list[Vantage] = [each for each in EVERYWHERE if not (drained and each == "pod")]
        if drained:
            for web in self._webs:
                web.become(services.drained(web.spec), settle=False)
            world.canary.settle(syncs=2)
        last = before if way == "failed" else after
        states = self._state(before), self._state(last)
        targets = _each_once(aim for state in states for aim in aims.served(state))
        self._node.forget_connections()
        with Traffic(world, states, targets, vantages, self._is_known) as traffic:
            traffic.open()
            already = traffic.leave_out_wrong()
            traffic.round()
            gone: list[ways.Gone] = []

            def go() -> None:
                configs = self._configs[before], self._configs[after]
                gone.append(ways.go(way, self._node, *configs))

            during(go, traffic.round)
            began = time.monotonic()
            with between_looks(world.canary, traffic.round):
                world.canary.settle(syncs=2, removed=False, started=True)
            settled = time.monotonic() - began
            traffic.finish()
            wrong = traffic.wrong_now()
        left = left_behind(inventory(self._node), self._fresh[last])
        later = self._later(last, targets, vantages, whole)
        lost, of = traffic.forgotten()
        return Switch(
            way=way,
            before=before,
            after=after,
            repetition=repetition,
            steps={**gone[0].steps, "settle": round(settled, 4)},
            complaint=gone[0].complaint,
            rounds=traffic.rounds,
            flows=tuple(traffic.seen()),
            opened=tuple(traffic.opened()),
            affinity_lost=lost,
            affinity_of=of,
            wrong_before=tuple(already[:_MOST]),
            wrong=tuple(wrong[:_MOST]),
            wrong_later=tuple(later[:_MOST]),
            left=dict(sorted(left.items())),
        )

    def _later(
        self,
        mode: str,
        old: Sequence[Frontend],
        vantages: Sequence[Vantage],
        whole: Sequence[ServiceSpec],
    ) -> list[str]:
        """What is wrong once all Services, which are to be ``whole`` again, have other endpoints,
        the first is gone, and there is another like it.
        """
        wanted = [services.elsewhere(each, self._node.name, self._world.hosts) for each in whole]
        gone, *kept = self._webs
        self._make.remove([gone])
        for web, spec in zip(kept, wanted[1:], strict=True):
            web.become(spec, settle=False)
        new = self._make.create([replace(wanted[0], name="")], settle=False)
        self._webs = [*kept, *new]
        self._make.settle(syncs=2, families=FAMILIES, removed=True)
        state = self._state(mode)
        found = _each_once([*old, *aims.served(state)])
        self._node.forget_connections()
        with Traffic(self._world, (state, state), found, vantages, self._is_known) as traffic:
            return traffic.wrong_now()

    def _state(self, mode: str) -> State:
        """What is in force in a mode."""
        addresses = tuple(self._node.address(family) for family in FAMILIES)
        return State(
            tuple(map(stored, self._webs)),
            NodeState(self._node.name, addresses),
            features=self._sides[mode].features,
        )


def _each_once(found: Iterable[Frontend]) -> list[Frontend]:
    return list({(aim.port.protocol, aim.at): aim for aim in found}.values())
