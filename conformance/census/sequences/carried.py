"""Flows that stay open while a sequence is played: where each of their messages goes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.census.decision import Decision
from fixtures.clients.client import LabClient
from fixtures.clients.flows import UDP_TIMEOUT, Flows
from fixtures.world.world import World
from specification.addresses import Family, family_of
from specification.attempts import Attempt
from specification.outcomes import Probe
from specification.places import Host, Vantage
from specification.rules.endpoints import Pool, candidates
from specification.rules.flows import Flow, goes_on
from specification.rules.frontends import Frontend, claims
from specification.rules.state import State
from specification.services import Protocol


@dataclass(frozen=True)
class Carried(Decision):
    """The same of the next message of a flow."""

    flow: Flow | None = None
    listed: Pool = ()
    """What is listed for its frontend by then."""
    returned: bool = False
    """Whether its frontend was gone in between."""
    unprompted: bool = False
    """Whether the proxy was started while nothing served over UDP in its family, nor has since."""

    @property
    def tries(self) -> int:
        """One message."""
        return 1

    @property
    def sticky(self) -> bool:
        """It need not reach all that it may."""
        return True

    def __str__(self) -> str:
        before = self.flow and self.flow.endpoint
        return f"the next message of a flow that {before or 'nobody'} had, {super().__str__()}"


class Group:
    """Flows that were opened at once, in one family and protocol, by one host."""

    def __init__(
        self,
        world: World,
        host: Host,
        vantage: Vantage,
        protocol: Protocol,
        frontends: Sequence[Frontend],
    ) -> None:
        self._vantage, self._frontends = vantage, frontends
        self._spoken = time.monotonic()
        self._family = family_of(frontends[0].at.address)
        client = LabClient(world.lab, host, self._family, protocol)
        opened = client.connect_to_each([each.at for each in frontends])
        self._flows = Flows(world.lab, host.wire, opened)
        self._known = [_after(None, probe) for probe in opened]
        self._gone: set[int] = set()
        self._unprompted = False

    def __bool__(self) -> bool:
        """Whether one of them is still a flow."""
        return any(self._known)

    def messages(self, state: State, since: Sequence[State], *, started: bool) -> Iterator[Carried]:
        """Send a message on each flow that has not ended, ``state`` being in force, and the states
        ``since`` having been there after the last ones, in which the proxy was ``started`` or not.
        """
        asleep = started or self._unprompted
        self._unprompted = asleep and not _served_over_udp(state, self._family)
        own, before = state.node.addresses, self._spoken
        self._spoken = time.monotonic()
        said = self._flows.exchange()
        if said.protocol == "UDP" and time.monotonic() - before > UDP_TIMEOUT:
            # a change took so long that the kernel forgets them by itself
            self._known = [None] * len(said)
        for row, probe in enumerate(said):
            flow = self._known[row]
            if flow is None:
                continue
            key = probe.protocol, probe.target
            if not all(key in claims(each) for each in (*since, state)):
                self._gone.add(row)
            right = goes_on(state, flow, self._vantage, since=since)
            wrong = "" if right.permits(probe, own) else str(probe.outcome)
            frontend = self._frontends[row]
            listed: Pool = ()
            claimed = claims(state).get(key, ())
            if claimed:
                frontend = claimed[0]
                listed = candidates(state, frontend, self._family)
            about, returned = (frontend, flow.attempt, self._vantage), row in self._gone
            yield Carried(
                *about,
                right,
                wrong,
                flow=flow,
                listed=listed,
                returned=returned,
                unprompted=self._unprompted,
            )
            self._known[row] = _after(flow, probe, returned=returned)


def _served_over_udp(state: State, family: Family) -> bool:
    return any(
        candidates(state, each, family)
        for (protocol, _), claimed in claims(state).items()
        if protocol == "UDP"
        for each in claimed
    )


def _after(before: Flow | None, probe: Probe, *, returned: bool = False) -> Flow | None:
    """A flow after its last message; ``None`` where it has ended. What nobody got is another flow's
    first packet next time, where that is what datagrams are; but nothing says what becomes of those
    that were sent while there was no frontend, once it has ``returned`` (ct-udp-new-frontend).
    """
    attempt = Attempt(probe.protocol, probe.client, probe.target)
    if probe.endpoint and probe.source and probe.answered:
        kept = probe.source.address == probe.client.address
        return Flow(attempt, probe.endpoint, "client" if kept else "node")
    again = before and not returned and probe.protocol == "UDP" and probe.unserved
    return Flow(attempt, None) if again else None
