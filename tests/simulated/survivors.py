"""Bends that no requirement notices, and why: each by how its name begins."""

from __future__ import annotations

from typing import Final

_LAST: Final = "it is asked where nothing else is left"
_CLAIMED: Final = "the feature is claimed, or the proxy does what those that do not claim it may do"
_OPEN: Final = "what is left open where it applies may be done as if it did not, too"
_FLOWS: Final = "nothing is said of the flows that it adds, or another clause says the same of them"
_ITSELF: Final = "what nobody serves at a node's own address is refused by the node, in either case"
_FROM_THE_IP: Final = "no process of a node in memory sends from a load balancer's IP"
_LOOPBACK: Final = "no process sends from a loopback address to another"

_NODE_PORTS: Final = "undecided.a_node_port_by_default:"
_OUTLIVE: Final = "flows.connections_outlive_their_endpoint:"
_STAY: Final = "flows.connections_stay_with_a_listed_endpoint:"
_SERVES: Final = "flows.datagrams_stay_with_who_serves:"
_BALANCERS: Final = "ranges.sent_by_the_node_from_the_balancers_ip:"

SURVIVORS: Final[dict[str, str]] = {
    "a_policy_keeps_from_endpoints_elsewhere, always": _LAST,
    "not_a_services, always": _LAST,
    "source_is_kept, always": _LAST,
    "unserved_port_of_an_external_address, never": "it is left to routing then, as it may be",
    "affinity.remembered: 'None' -> ": "the proxy remembers nobody where there is no affinity",
    "affinity.remembered: before.idle >= timeout -> before.idle > ": "no clock stands still there",
    "sctp_is_not_offered, never": _CLAIMED,
    "undecided.sctp_is_not_offered: 'SCTP' -> ": _CLAIMED,
    "undecided.sctp_is_not_offered: 'nobody has to serve SCTP' -> ": _CLAIMED,
    "strangers_need_not_be_served, never": _CLAIMED,
    'undecided.strangers_need_not_be_served: "cluster IPs are for the node\'s own" -> ': _CLAIMED,
    "answers_come_back_anyhow, never": _CLAIMED,
    "sources.answers_come_back_anyhow: 'pod' -> ": _CLAIMED,
    "several_claim_it, never": _OPEN,
    "undecided.several_claim_it: 1 -> 2": _OPEN,
    "undecided.several_claim_it: len(services) > 1 or fields -> ": _OPEN,
    "undecided.several_claim_it: 'several frontends claim the address' -> ": _OPEN,
    "the_service_is_labelled_headless, never": _OPEN,
    "undecided.the_service_is_labelled_headless: 'a Service may or may not be ignored for the label"
    " headless' -> ": _OPEN,
    "slices_disagree, never": _OPEN,
    "undecided.slices_disagree: 'EndpointSlices disagree about an endpoint' -> ": _OPEN,
    "ranges_of_the_other_family_alone, never": _OPEN,
    "undecided.ranges_of_the_other_family_alone: 'load-balancer-ip' -> ": _OPEN,
    "undecided.ranges_of_the_other_family_alone: 'the source ranges are of the other family' -> ": (
        _OPEN
    ),
    "connections_stay_with_a_listed_endpoint, always": _FLOWS,
    f"{_STAY} case.attempt.protocol != 'UDP' and listed is not None -> ": _FLOWS,
    f"{_STAY} 'UDP' -> ": _FLOWS,
    "connections_outlive_their_endpoint, always": _FLOWS,
    f"{_OUTLIVE} case.attempt.protocol == 'TCP' and listed is None and claimed -> ": _FLOWS,
    "datagrams_stay_with_who_serves, always": _FLOWS,
    f"{_SERVES} case.attempt.protocol != 'UDP' or listed is None or ": _FLOWS,
    f"{_SERVES} False -> ": _FLOWS,
    "datagrams_stay_while_anybody_serves, always": _FLOWS,
    "flows.datagrams_stay_while_anybody_serves: case.attempt.protocol == 'UDP' and ": _FLOWS,
    "sent_by_the_node_from_the_balancers_ip, never": _FROM_THE_IP,
    f"{_BALANCERS} case.attempt.client.address == ": _FROM_THE_IP,
    f"{_BALANCERS} case.place == 'node' -> ": _FROM_THE_IP,
    f"{_BALANCERS} 'node' -> ": _FROM_THE_IP,
    f"{_BALANCERS} any(": _FROM_THE_IP,
    f"{_BALANCERS} own in each -> ": _FROM_THE_IP,
    "a_loopback_source_leads_nowhere, never": _LOOPBACK,
    "undecided.a_loopback_source_leads_nowhere: not target.is_loopback -> ": _LOOPBACK,
    "undecided.a_loopback_source_leads_nowhere: 'packets from loopback addresses are not routed' ->"
    " ": _LOOPBACK,
    "nobody_listens_at_the_node, ": _ITSELF,
    "refusals.nobody_listens_at_the_node: ": _ITSELF,
    "a_node_port_by_default, never": _ITSELF,
    f"{_NODE_PORTS} any(": _ITSELF,
    f"{_NODE_PORTS} (port.node_port, ": _ITSELF,
    f"{_NODE_PORTS}  for service in ": _ITSELF,
    f"{_NODE_PORTS} case.family in service.families ": _ITSELF,
    f"{_NODE_PORTS} service.type in ": _ITSELF,
    f"{_NODE_PORTS} 'NodePort' -> ": _ITSELF,
    f"{_NODE_PORTS} 'LoadBalancer' -> ": _ITSELF,
    f'{_NODE_PORTS} "nodePorts may be served at this address ': _ITSELF,
    f"{_NODE_PORTS} '' -> '?' #2": _ITSELF,
}


def survives(bend: str) -> bool:
    """Whether it is listed."""
    return bend.startswith(tuple(SURVIVORS))
