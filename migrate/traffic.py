"""Traffic while a node is switched: flows that stay open and new connections all the time, by every
frontend, from pods here and elsewhere, from outside, and from processes on the node.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self

from fixtures.clients.client import LabClient
from fixtures.clients.flows import Flows
from fixtures.clients.node_client import NodeClient
from fixtures.clients.node_flows import NodeFlows
from migrate.kept import Kept
from migrate.volleys import Volleys
from reports.records.migration import FlowsSeen, Opened
from specification.addresses import family_of
from specification.errors import CannotJudgeError

if TYPE_CHECKING:
    from fixtures.world.world import World
    from migrate.volleys import IsKnown
    from specification.addresses import Family
    from specification.places import Vantage
    from specification.rules.frontends import Frontend
    from specification.rules.state import State
    from specification.services import Protocol

_FLOWS: Final = 2
"""Flows by each frontend, of each client."""

_PAUSE: Final = 0.02  # seconds between rounds while nothing but a kernel's clock is waited for


class Traffic:
    """All that is under way around one node, in one switch."""

    def __init__(
        self,
        world: World,
        states: tuple[State, State],
        aims: Iterable[Frontend],
        vantages: Sequence[Vantage],
        known: IsKnown,
    ) -> None:
        """What each client is to open is settled here; ``open`` opens the flows.

        Raises:
            CannotJudgeError: there is nothing that could be opened and judged.
        """
        self._lab = world.lab
        self._processes = ExitStack()
        self.volleys: list[Volleys] = []
        self.flows: list[Kept] = []
        self.rounds = 0
        chosen: dict[tuple[Family, Protocol], list[Frontend]] = {}
        for aim in aims:
            key = family_of(aim.at.address), aim.port.protocol
            chosen.setdefault(key, []).append(aim)
        for (family, protocol), some in chosen.items():
            for vantage in vantages:
                client: LabClient | NodeClient
                if vantage != "node":
                    host = world.hosts(vantage)[0]
                    client = LabClient(world.lab, host, family, protocol)
                elif protocol != "SCTP":
                    client = self._processes.enter_context(
                        NodeClient(world.lab, world.node, family, protocol)
                    )
                else:
                    continue
                volleys = Volleys(client, vantage, some, states, known)
                if len(volleys):
                    self.volleys.append(volleys)
        if not self.volleys:
            raise CannotJudgeError("these Services have no frontend that could be judged")

    def open(self) -> None:
        """Open flows by what leads to an endpoint on both sides of the switch."""
        for volleys in self.volleys:
            client = volleys.client
            each = [aim for aim in volleys.served for _ in range(_FLOWS)]
            if not each or client.protocol == "SCTP":
                continue
            flows: Flows | NodeFlows
            targets = [aim.at for aim in each]
            if isinstance(client, NodeClient):
                flows = self._processes.enter_context(NodeFlows(client, targets))
            else:
                flows = Flows(self._lab, client.host.wire, client.connect_to_each(targets))
            self.flows.append(Kept(flows, volleys.vantage, [aim.kind for aim in each]))

    def round(self) -> None:
        """A message on each flow, and a new connection by each frontend from everywhere."""
        self.rounds += 1
        for flows in self.flows:
            flows.exchange()
        for volleys in self.volleys:
            volleys.fire()

    def finish(self) -> None:
        """Another round, and then others for as long as a flow may be without an answer because its
        kernel waits before it sends again (see NodeFlows).
        """
        self.round()
        deadline = time.monotonic() + max(each.patience for each in self.flows) if self.flows else 0
        while time.monotonic() < deadline and any(each.patience for each in self.flows):
            time.sleep(_PAUSE)
            self.round()

    def seen(self) -> list[FlowsSeen]:
        """What became of the flows."""
        return [each for flows in self.flows for each in flows.seen()]

    def opened(self) -> list[Opened]:
        """What became of the new connections, by kind of frontend and vantage."""
        return [each for volleys in self.volleys for each in volleys.opened()]

    def forgotten(self) -> tuple[int, int]:
        """See Volleys, of all."""
        found = [each.forgotten() for each in self.volleys]
        return sum(one for one, _ in found), sum(of for _, of in found)

    def leave_out_wrong(self) -> list[str]:
        """See Volleys, of all."""
        return [each for volleys in self.volleys for each in volleys.leave_out_wrong()]

    def wrong_now(self) -> list[str]:
        """See Volleys, of all."""
        return [each for volleys in self.volleys for each in volleys.wrong_now()]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.close()
