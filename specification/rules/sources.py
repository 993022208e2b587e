"""Whose address an endpoint sees."""

from __future__ import annotations

from typing import Literal

from specification.rules.case import Case, clause
from specification.rules.endpoints import Candidate

Seen = Literal["client", "node", "either"]
"""The client's own address; one of the node's; whichever."""


@clause("masq-hairpin", "cip-from-endpoint", "masq-pod-cip")
def reaches_itself(case: Case, chosen: Candidate) -> bool:
    """A pod that is led to itself must see the node's address, or it would answer itself without
    the node.

    Source: docs, Debug Services, a Pod fails to reach itself via the Service IP.
    """
    return case.attempt.client.address == chosen.at.address


@clause("masq-all", "masq-pod-cip", "masq-ext-local")
def everything_is_masqueraded(case: Case) -> bool:
    """With masqueradeAll every connection to a cluster IP comes from the node.

    Source: kube-proxy Configuration (v1alpha1), masqueradeAll.
    """
    return case.frontend.internal and case.state.configuration.masquerade_all


@clause("masq-ext-cip", "masq-node-cip", "masq-pod-cip", "masq-ext-local", "masq-detect-perfamily")
def stranger_at_a_cluster_ip(case: Case) -> bool:
    """Who is no pod comes to a cluster IP from the node's address, where it can be told who is.

    Source: kube-proxy Configuration (v1alpha1), clusterCIDR and detectLocalMode.
    """
    configuration, version = case.state.configuration, case.attempt.client.address.version
    known = configuration.pods_by_link or any(
        each.version == version for each in configuration.pod_networks
    )
    return case.frontend.internal and known and not case.from_pod


@clause("masq-ext-cluster", "masq-ext-local", "masq-pod-cip")
def external_policy_is_cluster(case: Case) -> bool:
    """Under externalTrafficPolicy Cluster, who comes by an external frontend comes from the node's
    address: the endpoint may be on another node, and its answers must come back by this one.

    Source: docs, Using Source IP, Services with Type=NodePort.
    """
    return not case.frontend.internal and case.frontend.service.external_traffic_policy == "Cluster"


@clause("etp-remote-pod-nodeport", "masq-ext-local", "masq-pod-cip", "etp-pod-shortcircuit")
def the_answer_would_not_come_back(case: Case, chosen: Candidate) -> bool:
    """A pod of another node that came to this one by an external frontend, and is sent on to an
    endpoint elsewhere, must come from this node's address: else the endpoint would answer the pod
    itself, from an address that it has never asked.

    Source: docs, Using Source IP, Services with Type=NodePort; kubernetes#74383.
    """
    return case.place == "remote-pod" and not case.frontend.internal and not chosen.local


@clause("masq-pod-np", "masq-pod-lb", "masq-ext-cluster")
def answers_come_back_anyhow(case: Case) -> bool:
    """Under externalTrafficPolicy Cluster, a pod on the node need not come from the node's address:
    whatever is sent to a pod of the node comes to the node.

    Source: docs, Using Source IP, which speaks of clients outside the cluster alone.
    """
    return case.place == "pod" and "external-masquerade-of-pods" not in case.state.features


@clause("masq-ext-local", "masq-pod-cip")
def source_is_kept(case: Case) -> bool:
    """In all other cases the endpoint sees the client's own address.

    Source: docs, Virtual IPs and Service Proxies, external traffic policy; docs, Using Source IP.
    """
    return True


def seen(case: Case, chosen: Candidate) -> Seen:
    """Whose address the endpoint sees."""
    if case.from_node:  # all its addresses are the node's
        return "node"
    if reaches_itself(case, chosen) or everything_is_masqueraded(case):
        return "node"
    if stranger_at_a_cluster_ip(case):
        return "node" if "cluster-ip-masquerade" in case.state.features else "either"
    if external_policy_is_cluster(case):
        return "either" if answers_come_back_anyhow(case) else "node"
    if the_answer_would_not_come_back(case, chosen):
        return "node"
    return "client" if source_is_kept(case) else "node"
