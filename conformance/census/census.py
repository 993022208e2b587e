"""Every decision of a stage of Services, tried on the wire and held against the specification."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from conformance.census import seen
from conformance.census.account import Account
from conformance.census.decision import FEW, MISSED, TRIES, Decision
from conformance.census.manifest import manifest
from fixtures.clients.client import LabClient
from fixtures.clients.node_client import NodeClient
from fixtures.judge.expect import UnexpectedOutcomeError
from fixtures.judge.tails import sample_to_hit_all
from fixtures.lab.frames import Kind, Mask
from fixtures.lab.sample import Sample
from fixtures.services.services import Service
from fixtures.world.world import World
from reports.records.results import Statistic
from specification.addresses import IPAddress, family_of
from specification.attempts import Attempt, SocketAddress
from specification.outcomes import Probe
from specification.places import Vantage
from specification.rules.allowed import Allowed, allowed
from specification.rules.frontends import Frontend
from specification.rules.state import State
from specification.services import ServiceSpec

Tell = Callable[[Decision], Iterable[str]]
"""What is to be said of a wrong decision besides what was expected and what was seen."""


@dataclass(frozen=True)
class Census:
    """The decisions of one mode."""

    decisions: Sequence[Decision]
    node: str
    account: Account = field(default_factory=Account)

    def of(self, concerned: Callable[[Decision], bool]) -> list[Decision]:
        """The decisions that are ``concerned``, but for those that are left open."""
        decided = (each for each in self.decisions if not each.allowed.undecided)
        return [each for each in decided if concerned(each)]

    def hold(self, concerned: Callable[[Decision], bool], tell: Tell | None = None) -> Statistic:
        """Demand that every decision that is ``concerned`` is right; what is to be recorded of it.

        Raises:
            UnexpectedOutcomeError: one is wrong; the simplest is shown, and what is to ``tell`` of
                it, or its Service as YAML.
            LookupError: the specification decides none that is, so that nothing would be looked at.
        """
        found = self.of(concerned)
        if not found:
            raise LookupError("the census has no decision of that kind")
        wrong = [each for each in found if each.wrong]
        if wrong:
            simplest = min(wrong, key=lambda each: each.effort)
            problem = UnexpectedOutcomeError(
                f"{simplest}: {simplest.allowed}",
                f"{simplest.wrong} ({len(wrong):,} of {len(found):,} decisions are wrong)",
            )
            notes = tell(simplest) if tell else [manifest(simplest.service, self.node)]
            for each in notes:
                problem.add_note(each)
            raise problem
        return summed(len(found), sum(each.tries for each in found), sum(e.chance for e in found))


def summed(decided: int, tries: int, chance: float, what: str = "decisions") -> Statistic:
    """What is recorded of decisions that are right: their number, that of their tries, and the
    probability that chance had made one of them seem wrong.
    """
    return Statistic(
        name=f"{decided:,} {what}",
        discipline="any",
        test="all outcomes allowed, all endpoints that may be chosen seen",
        counts=(0,),
        expected=(0,),
        statistic=0.0,
        p=1.0,
        alpha=chance,
        sample=tries,
    )


def stored(service: Service) -> ServiceSpec:
    """The specification of a Service with what the API server has chosen."""
    found = {each["name"]: each.get("nodePort") for each in service.object["spec"]["ports"]}
    ports = tuple(replace(each, node_port=found[each.name]) for each in service.spec.ports)
    return replace(service.spec, cluster_ips=service.cluster_ips, ports=ports)


def take(
    world: World,
    state: State,
    aims: Collection[Frontend],
    vantages: Sequence[Vantage],
    account: Account,
    *,
    forget: bool = True,
) -> Iterator[Decision]:
    """Try all ``aims`` from everywhere; from processes on the node with datagrams alone. The node
    is to ``forget`` its connections before, so that there is room for all.
    """
    for family, protocol in sorted(
        {(family_of(each.at.address), each.port.protocol) for each in aims}
    ):
        chosen = [
            each
            for each in aims
            if (each.port.protocol, family_of(each.at.address)) == (protocol, family)
        ]
        for vantage in vantages:
            if forget:
                world.node.forget_connections()
            if vantage != "node":
                host = world.hosts(vantage)[0]
                client = LabClient(world.lab, host, family, protocol)
                yield from _decide(state, client, vantage, chosen, account)
            elif protocol == "UDP":
                with NodeClient(world.lab, world.node, family, protocol) as process:
                    yield from _decide(state, process, vantage, chosen, account)


def _decide(
    state: State,
    client: LabClient | NodeClient,
    vantage: Vantage,
    chosen: Sequence[Frontend],
    account: Account,
) -> Iterator[Decision]:
    asked = SocketAddress(client.address, 0)
    attempts = [Attempt(client.protocol, asked, each.at) for each in chosen]
    with account.during("judging"):
        rights = [allowed(state, each, vantage) for each in attempts]
    taken = [
        Decision(frontend, attempt, vantage, right, "")
        for frontend, attempt, right in zip(chosen, attempts, rights, strict=True)
    ]
    for tries in (FEW, TRIES):
        some = [each for each in taken if each.tries == tries]
        yield from _judged(client, some, tries, state.node.addresses, account)


def _judged(
    client: LabClient | NodeClient,
    taken: Sequence[Decision],
    tries: int,
    own: Collection[IPAddress],
    account: Account,
) -> Iterator[Decision]:
    if not taken:
        return
    rights = [each.allowed for each in taken]
    sample = _volley(client, taken, tries, account)
    with account.during("judging"):
        wrong, missed = judge(sample, rights, own, [each.sticky for each in taken])
        kinds = seen.outcomes(sample, own, tries)
    if missed.any():
        again = np.flatnonzero(missed).tolist()
        most = max(len(rights[each].deliveries) for each in again)
        enough = sample_to_hit_all(most, MISSED)
        more = _volley(client, [taken[each] for each in again], enough, account)
        with account.during("judging"):
            wrong[again], missed[again] = judge(more, [rights[each] for each in again], own)
            kinds[again] |= seen.outcomes(more, own, enough)
    for number, decision in enumerate(taken):
        bad = wrong[number] or missed[number]
        whole = not (decision.sticky or decision.allowed.undecided)
        yield replace(
            decision,
            wrong=in_words(sample[number * tries : (number + 1) * tries]) if bad else "",
            seen=seen.in_words(int(kinds[number]), whole=whole),
        )


def in_words(tries: Sequence[Probe]) -> str:
    """What was seen of one decision's tries, without the client's port, which differs from one to
    the next.
    """
    outcomes = (re.sub(r"(seen from [^ ,]+):\d+", r"\1", str(each.outcome)) for each in tries)
    return ", ".join(f"{count} x {words}" for words, count in Counter(outcomes).most_common(4))


def judge(
    sample: Sample,
    rights: Sequence[Allowed],
    own: Collection[IPAddress],
    sticky: Sequence[bool] = (),
) -> tuple[Mask, Mask]:
    """Of each decision, whether an outcome was seen that is not allowed, and whether an endpoint
    that may be chosen got nothing. The rows of ``sample`` are the tries of the first decision, then
    those of the second, and so on. The same as ``Allowed.permits``, for many at once, and nothing
    may arrive twice, nor those of a ``sticky`` decision at two endpoints.
    """
    tries = len(sample) // len(rights)

    def by_row(word: str) -> Mask:
        return np.repeat(np.array([bool(getattr(each, word)) for each in rights]), tries)

    nowhere = sample.arrivals == 0
    refused = nowhere & np.isin(sample.reply_kind, Kind.REFUSING)
    dropped = nowhere & (sample.replies == 0) & ~sample.is_unseen
    right = by_row("undecided") | (refused & by_row("refused"))
    seen_from, chosen = seen.seen_from(sample, own), sample.chosen
    right |= dropped & by_row("dropped")
    right |= sample.is_passed & seen_from["client"] & by_row("passed")
    answered = sample.is_answered | (sample.past_node & seen_from["client"])
    missed, spread = (np.zeros(len(rights), np.bool_) for _ in range(2))
    bound = sticky or [False] * len(rights)
    for number, (each, one) in enumerate(zip(rights, bound, strict=True)):
        for row in range(number * tries, (number + 1) * tries) if each.deliveries else ():
            endpoint = chosen[row]
            if endpoint and endpoint in each.deliveries:
                right[row] |= answered[row] & seen_from[each.deliveries[endpoint]][row]
        found = set(chosen[number * tries :][:tries])
        missed[number] = not (one or each.deliveries.keys() <= found)
        spread[number] = one and len(found) > 1
    right &= (sample.arrivals <= 1) & (sample.replies <= 1)
    wrong = spread | ~right.reshape(len(rights), tries).all(axis=1)
    return wrong, missed & ~wrong


def _volley(
    client: LabClient | NodeClient, taken: Sequence[Decision], tries: int, account: Account
) -> Sample:
    account.probes += len(taken) * tries
    return client.connect_to_each([each.attempt.target for each in taken for _ in range(tries)])
