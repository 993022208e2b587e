"""What a cluster of the suite is told to be: what kind, and kubeadm in it, are configured with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clusters.kind.image.pods import REPOSITORY
from specification.addresses import CLUSTER_CIDRS, SERVICE_RANGES, pod_cidr

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MARK = "/kind/kube-proxy-conformance"
"""Where the containers of the suite's clusters, and nobody else's, show the lock file that their
run holds.
"""

NODES = ("control-plane", "worker")
"""The nodes of a cluster, by the last part of their names; the last one is the one under test."""

KUBECTL = ("kubectl", "--kubeconfig=/etc/kubernetes/admin.conf")
"""kubectl on a control plane, as administrator."""

_MANAGER = {"allocate-node-cidrs": "false", "node-cidr-mask-size-ipv6": "48"}
"""The suite says itself which node has which pods; kubeadm checks the usual mask all the same."""

_LISTS_SINCE = (1, 36)  # the first Kubernetes for which kind writes kubeadm's v1beta4


def cluster(
    mode: str, version: str, lock: Path, *, own_image: bool, cgroup_v1: bool
) -> dict[str, Any]:
    """A kind configuration (kind.x-k8s.io/v1alpha4) for Kubernetes ``version`` with kube-proxy in
    ``mode``, or with none where that is ``"none"``; ``lock`` is held for as long as it is in use.
    """
    mark = [{"hostPath": str(lock), "containerPath": MARK, "readOnly": True}]
    patches: list[dict[str, Any]] = [
        {
            "kind": "ClusterConfiguration",
            "controllerManager": {"extraArgs": _arguments(version, _MANAGER)},
            "etcd": {"local": {"extraArgs": _arguments(version, {"unsafe-no-fsync": "true"})}},
        }
    ]
    if own_image:  # it has no CoreDNS, and kubeadm would wait for its image
        patches[0]["imageRepository"] = REPOSITORY
        skipped = ["preflight", "addon/coredns"]
        if mode == "none":
            skipped.append("addon/kube-proxy")  # this list takes the place of kind's
        patches.append({"kind": "InitConfiguration", "skipPhases": skipped})
    if cgroup_v1:
        patches.append({"kind": "KubeletConfiguration", "failCgroupV1": False})
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {
            "ipFamily": "dual",
            # kindnet would masquerade the lab's packets
            "disableDefaultCNI": True,
            "kubeProxyMode": mode,
            "podSubnet": ",".join(map(str, CLUSTER_CIDRS.values())),
            "serviceSubnet": ",".join(map(str, SERVICE_RANGES.values())),
        },
        "nodes": [{"role": role, "extraMounts": mark} for role in NODES],
        "kubeadmConfigPatches": [json.dumps(patch) for patch in patches],
    }


def control_plane(name: str) -> str:
    """The container that is the control plane of the cluster ``name``."""
    return f"{name}-{NODES[0]}"


def worker(name: str) -> str:
    """The container that is the node under test of the cluster ``name``."""
    return f"{name}-{NODES[-1]}"


def pod_network(position: int) -> dict[str, Any]:
    """A CNI configuration, with which the node number ``position`` gets Ready: the suite's pods are
    none of the kubelet's.
    """
    own = 62 + position  # far from the lab's
    subnets = [str(pod_cidr(own, family)) for family in ("IPv4", "IPv6")]
    return {
        "cniVersion": "0.3.1",
        "name": "kube-proxy-conformance",
        "plugins": [
            {
                "type": "ptp",
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": subnet}] for subnet in subnets],
                    "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
                },
            }
        ],
    }


def _arguments(version: str, values: Mapping[str, str]) -> object:
    """Arguments of a component as kubeadm's API wants them for that version of Kubernetes."""
    numbers = tuple(int(part) for part in version.removeprefix("v").split(".")[:2])
    if numbers < _LISTS_SINCE:
        return dict(values)
    return [{"name": name, "value": value} for name, value in values.items()]
