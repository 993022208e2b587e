"""Every decision of a stage of Services, tried on the wire and held against the specification."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import yaml

from conformance.census import space
from fixtures.clients.client import LabClient
from fixtures.clients.node_client import NodeClient
from fixtures.judge.expect import UnexpectedOutcomeError
from fixtures.lab.frames import Kind, Mask
from fixtures.lab.sample import Sample, to_bytes
from fixtures.world.world import World
from reports.records.results import Statistic
from specification import objects
from specification.addresses import FAMILIES, IPAddress, family_of
from specification.attempts import Attempt, SocketAddress
from specification.outcomes import Probe
from specification.places import Vantage
from specification.rules.allowed import Allowed, allowed
from specification.rules.frontends import Frontend, frontends
from specification.rules.state import State
from specification.services import ServiceSpec

TRIES: Final = 12
"""New connections for each decision."""

MORE: Final = 36
"""So many more where one of the endpoints that may be chosen had none of them."""

VANTAGES: Final[tuple[Vantage, ...]] = ("pod", "outside", "node")


@dataclass(frozen=True)
class Decision:
    """One attempt, what is allowed, and what is wrong with what was seen of its tries."""

    frontend: Frontend
    attempt: Attempt
    vantage: Vantage
    allowed: Allowed
    wrong: str
    """What was seen, where that is not allowed, or where an endpoint that may be chosen never was;
    else empty.
    """

    @property
    def service(self) -> ServiceSpec:
        """The Service that is addressed."""
        return self.frontend.service

    @property
    def external(self) -> bool:
        """Whether it is addressed by a frontend that externalTrafficPolicy rules."""
        return not self.frontend.internal

    @property
    def states(self) -> frozenset[str]:
        """The states of its endpoints, in words."""
        return space.states(self.service)

    @property
    def effort(self) -> tuple[int, ...]:
        """How much it takes to show it: the simplest come first."""
        service = self.service
        policies = service.internal_traffic_policy, service.external_traffic_policy
        return len(service.endpoints), policies.count("Local"), VANTAGES.index(self.vantage)

    def __str__(self) -> str:
        return (
            f"{self.attempt.protocol} from {self.vantage} to the {self.frontend.kind}"
            f" {self.attempt.target} of a Service with {space.in_words(self.service)}"
        )


@dataclass(frozen=True)
class Census:
    """The decisions of one mode."""

    decisions: Sequence[Decision]
    node: str

    def hold(self, concerned: Callable[[Decision], bool]) -> Statistic:
        """Demand that every decision that is ``concerned`` is right; what is to be recorded of it.

        Raises:
            UnexpectedOutcomeError: one is wrong; the simplest is shown, and its Service as YAML.
            LookupError: the specification decides none that is, so that nothing would be looked at.
        """
        decided = (each for each in self.decisions if not each.allowed.undecided)
        found = [each for each in decided if concerned(each)]
        if not found:
            raise LookupError("the census has no decision of that kind")
        wrong = [each for each in found if each.wrong]
        if wrong:
            simplest = min(wrong, key=lambda each: each.effort)
            problem = UnexpectedOutcomeError(
                f"{simplest}: {simplest.allowed}",
                f"{simplest.wrong} ({len(wrong):,} of {len(found):,} decisions are wrong)",
            )
            problem.add_note(manifest(simplest.service, self.node))
            raise problem
        alpha = len(found) * 2.0 ** (1 - TRIES - MORE)  # by chance one of two is left out
        return Statistic(
            name=f"{len(found):,} decisions",
            discipline="any",
            test="all outcomes allowed, all endpoints that may be chosen seen",
            counts=(0,),
            expected=(0,),
            statistic=0.0,
            p=1.0,
            alpha=alpha,
            sample=len(found) * TRIES,
        )


def manifest(service: ServiceSpec, node: str) -> str:
    """A Service and its EndpointSlices as YAML, to be applied elsewhere."""
    slices = objects.endpoint_slices(service, node).values()
    kinds = [("v1", "Service", {**objects.service(service), "status": objects.status(service)})]
    kinds += [("discovery.k8s.io/v1", "EndpointSlice", each) for each in slices]
    return yaml.safe_dump_all(
        ({"apiVersion": version, "kind": kind, **body} for version, kind, body in kinds),
        sort_keys=False,
    )


def take(world: World, state: State, node_stride: int) -> Iterator[Decision]:
    """Try everything that the Services of ``state`` are addressed by, from everywhere. A process on
    the node takes part with datagrams, to one Service of ``node_stride``.
    """
    found = frontends(state)
    for family in FAMILIES:
        for protocol in space.PROTOCOLS:
            chosen = [
                each
                for (wanted, at), each in found.items()
                if (wanted, family_of(at.address)) == (protocol, family)
            ]
            for vantage in VANTAGES:
                if vantage != "node":
                    host = world.hosts(vantage)[0]
                    client = LabClient(world.lab, host, family, protocol)
                    yield from _decide(world, state, client, vantage, chosen)
                elif protocol == "UDP":
                    some = [f for f in chosen if f.port.number % node_stride == 0]
                    with NodeClient(world.lab, world.node, family, protocol) as process:
                        yield from _decide(world, state, process, vantage, some)


def _decide(
    world: World,
    state: State,
    client: LabClient | NodeClient,
    vantage: Vantage,
    chosen: Sequence[Frontend],
) -> Iterator[Decision]:
    world.node.forget_connections()
    asked = SocketAddress(client.address, 0)
    attempts = [Attempt(client.protocol, asked, each.at) for each in chosen]
    rights = [allowed(state, each, vantage) for each in attempts]
    own = state.node.addresses
    sample = _volley(client, chosen, TRIES)
    wrong, missed = judge(sample, rights, own)
    if missed.any():
        again = np.flatnonzero(missed).tolist()
        more = _volley(client, [chosen[each] for each in again], MORE)
        wrong[again], missed[again] = judge(more, [rights[each] for each in again], own)
    for number, (frontend, attempt, right) in enumerate(zip(chosen, attempts, rights, strict=True)):
        bad = wrong[number] or missed[number]
        seen = _in_words(sample[number * TRIES : (number + 1) * TRIES]) if bad else ""
        yield Decision(frontend, attempt, vantage, right, seen)


def _in_words(tries: Sequence[Probe]) -> str:
    """What was seen, each outcome without the client's port, which differs from try to try."""
    outcomes = (re.sub(r"(seen from [^ ,]+):\d+", r"\1", str(each.outcome)) for each in tries)
    return ", ".join(f"{count} x {words}" for words, count in Counter(outcomes).most_common(4))


def judge(
    sample: Sample, rights: Sequence[Allowed], own: Collection[IPAddress]
) -> tuple[Mask, Mask]:
    """Of each decision, whether an outcome was seen that is not allowed, and whether an endpoint
    that may be chosen got nothing. The rows of ``sample`` are the tries of the first decision, then
    those of the second, and so on. The same as ``Allowed.permits``, for many at once, and nothing
    may arrive twice.
    """
    tries = len(sample) // len(rights)

    def by_row(word: str) -> Mask:
        return np.repeat(np.array([bool(getattr(each, word)) for each in rights]), tries)

    nowhere = sample.arrivals == 0
    refused = nowhere & np.isin(sample.reply_kind, (Kind.UNREACHABLE, Kind.RESET))
    dropped = nowhere & (sample.replies == 0) & ~sample.is_unseen
    right = by_row("undecided") | (refused & by_row("refused"))
    seen_from, chosen = _seen_from(sample, own), sample.chosen
    right |= dropped & by_row("dropped")
    right |= sample.is_passed & seen_from["client"] & by_row("passed")
    answered = sample.is_answered | (sample.past_node & seen_from["client"])
    missed = np.zeros(len(rights), np.bool_)
    for number, each in enumerate(rights):
        for row in range(number * tries, (number + 1) * tries) if each.deliveries else ():
            endpoint = chosen[row]
            if endpoint and endpoint in each.deliveries:
                right[row] |= answered[row] & seen_from[each.deliveries[endpoint]][row]
        missed[number] = not each.deliveries.keys() <= set(chosen[number * tries :][:tries])
    right &= (sample.arrivals <= 1) & (sample.replies <= 1)
    wrong = ~right.reshape(len(rights), tries).all(axis=1)
    return wrong, missed & ~wrong


def _seen_from(sample: Sample, own: Collection[IPAddress]) -> dict[str, Mask]:
    node = np.zeros(len(sample), np.bool_)
    for address in own:
        if family_of(address) == sample.family:
            node |= (sample.sources == to_bytes([address])).all(axis=1)
    kept = (sample.sources == sample.clients).all(axis=1)
    return {"client": kept, "node": node, "either": kept | node}


def _volley(client: LabClient | NodeClient, chosen: Sequence[Frontend], tries: int) -> Sample:
    return client.connect_to_each([each.at for each in chosen for _ in range(tries)])
