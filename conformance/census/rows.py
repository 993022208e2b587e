"""A census as a record: its decisions as rows of numbers, in words that hold for other runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from conformance.census.aims import UNSERVED
from conformance.census.census import Census
from conformance.census.decision import Decision
from reports.records import decisions
from reports.records.decisions import Row, State, Verdict
from specification.addresses import family_of
from specification.rules.allowed import Allowed

_VANTAGES: Final = {
    "pod": "a pod",
    "remote-pod": "a pod elsewhere",
    "outside": "outside",
    "node": "the node",
}
_SEEN: Final = {"client": "the client", "node": "the node", "either": "either"}


def record(
    census: Census, mode: str, name: str, seed: int, about: Mapping[str, str]
) -> decisions.Census:
    """The record of a census of that ``name``; ``about`` says what tells each Service from the
    others.
    """
    attempts, verdicts = dict[str, int](), dict[Verdict, int]()
    rows: dict[str, list[Row]] = {service: [] for service in about}
    for each in census.decisions:
        attempt = attempts.setdefault(in_words(each), len(attempts))
        verdict = verdicts.setdefault(_verdict(each), len(verdicts))
        rows[each.service.name].append(Row(attempt, verdict))
    return decisions.Census(
        mode=mode,
        name=name,
        seed=seed,
        attempts=tuple(attempts),
        verdicts=tuple(verdicts),
        states=tuple(
            State(name=service, about=about[service], rows=tuple(found))
            for service, found in rows.items()
            if found
        ),
        probes=census.account.probes,
        seconds=census.account.seconds,
    )


def in_words(decision: Decision) -> str:
    """Protocol and family, from where, to what: without what the API server has chosen."""
    frontend, at = decision.frontend, decision.attempt.target
    protocol, family = decision.attempt.protocol, family_of(at.address)
    where = frontend.kind.replace("-ip", " IP").replace("node-port", "nodePort")
    if frontend.kind in ("external-ip", "load-balancer-ip"):
        where += f" {at.address}"
    port = f"its port {frontend.port.name}"
    if at.port == UNSERVED:
        port = f"port {UNSERVED}"
    elif at.port == frontend.port.node_port and frontend.kind != "node-port":
        port = f"the nodePort of {port}"
    return f"{protocol}/{family} from {_VANTAGES[decision.vantage]} to the {where}, {port}"


def _verdict(decision: Decision) -> Verdict:
    right = decision.allowed
    return Verdict(
        allowed=f"anything: {right.undecided}" if right.undecided else " or ".join(_kinds(right)),
        because=right.because,
        seen=decision.seen,
        endpoints=_endpoints(decision),
        right=not decision.wrong,
    )


def _endpoints(decision: Decision) -> tuple[int, ...]:
    """By their places in the Service: those that may be chosen, since all of them were seen."""
    if decision.wrong or decision.sticky:
        return ()
    family = family_of(decision.attempt.target.address)
    chosen = {at.address for at in decision.allowed.deliveries}
    listed = dict.fromkeys(each.host.address(family) for each in decision.service.endpoints)
    return tuple(n for n, address in enumerate(listed, start=1) if address in chosen)


def _kinds(right: Allowed) -> list[str]:
    kinds = [f"delivered, seen from {_SEEN[each]}" for each in sorted({*right.deliveries.values()})]
    words = {"refused": right.refused, "dropped": right.dropped, "passed on": right.passed}
    return kinds + [word for word, may in words.items() if may]
