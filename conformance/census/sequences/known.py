"""What a requirement of its own tells, and is known to be broken in the proxy under test: sequences
leave it out, or every one of them would end there.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from conformance.census.decision import Decision
from conformance.census.kinds import Kind
from conformance.census.sequences.carried import Carried
from fixtures.plugin import expected
from fixtures.plugin.options import Options


def _because(clause: str, concerned: Kind) -> Kind:
    """Decisions in which a clause had a say."""
    return lambda each: clause in each.allowed.because and concerned(each)


def _of_the_node(each: Decision) -> bool:
    return each.vantage == "node"


def _at_external_addresses(each: Decision) -> bool:
    return _of_the_node(each) and each.frontend.kind in ("external-ip", "load-balancer-ip")


def _nobody_serves(each: Decision) -> bool:
    return isinstance(each, Carried) and not any(entry.serving for entry in each.listed)


def _a_service_of_before_did(each: Decision) -> bool:
    """What the cleanup may miss at addresses that a Service may have again, and where its Service
    was gone in between, such as by its label: it knows nothing of one that was deleted.
    """
    return isinstance(each, Carried) and (each.external or each.returned)


def _nobody_serves_at_a_node_port(each: Decision) -> bool:
    return _nobody_serves(each) and each.frontend.kind == "node-port"


def _nothing_prompts_it(each: Decision) -> bool:
    return isinstance(each, Carried) and each.unprompted


def _at_another_port(each: Decision) -> bool:
    """Whether the host of its endpoint serves still, but by another port alone."""
    if not isinstance(each, Carried) or each.flow is None or each.flow.endpoint is None:
        return False
    endpoint = each.flow.endpoint
    serving = {entry.at for entry in each.listed if entry.serving}
    return endpoint not in serving and endpoint.address in {at.address for at in serving}


def _terminating(each: Decision) -> bool:
    if not isinstance(each, Carried) or each.flow is None:
        return False
    own = (entry for entry in each.listed if entry.at == each.flow.endpoint)
    return any(entry.terminating for entry in own)


TOLD: Final[dict[str, Kind]] = {
    "noep-host-ext": _because("no_endpoint_anywhere", _at_external_addresses),
    "lbsr-deny": _because("outside_the_source_ranges", lambda _: True),
    "lbsr-host-subject": _because("outside_the_source_ranges", _of_the_node),
    "etp-pod-shortcircuit": _because("from_inside", lambda each: not _of_the_node(each)),
    "etp-host-shortcircuit": _because("from_inside", _of_the_node),
    "etp-remote-pod-nodeport": _because("the_answer_would_not_come_back", lambda _: True),
    "etp-local-none-drop": _because(
        "a_policy_keeps_from_endpoints_elsewhere", lambda each: each.external
    ),
    "itp-local-states-drop": _because(
        "a_policy_keeps_from_endpoints_elsewhere", lambda each: not each.external
    ),
    "ct-udp-zero-eps": _because("datagrams_leave_who_serves_no_longer", _nobody_serves),
    "ct-udp-recreated": _because("datagrams_leave_who_serves_no_longer", _a_service_of_before_did),
    "ct-restart-zero-eps": _because("datagrams_leave_who_serves_no_longer", _nothing_prompts_it),
    "ct-udp-zero-eps-np": _because(
        "datagrams_leave_who_serves_no_longer", _nobody_serves_at_a_node_port
    ),
    "ct-udp-port-change": _because("datagrams_leave_who_serves_no_longer", _at_another_port),
    "ct-udp-keep-live": _because("datagrams_stay_with_who_serves", _terminating),
}
"""What each of these requirements tells."""


def of(options: Options, mode: str) -> Kind:
    """What those tell that are listed as broken in a mode of the proxy that is judged."""
    listed = expected.judged(options)
    return told({each.requirement for each in listed if each.is_about(each.requirement, mode)})


def told(broken: Collection[str]) -> Kind:
    """What those tell that are known to be ``broken``."""
    kinds = [kind for name, kind in TOLD.items() if name in broken]
    return lambda each: any(kind(each) for kind in kinds)
