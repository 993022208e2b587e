"""A kind cluster that was there before: whether it can be judged; it is left as it was found."""

from __future__ import annotations

import contextlib
import json
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import yaml

from clusters.build.cache import locked
from clusters.kind.cluster import configuration, delivery
from clusters.kind.cluster.configuration import NODES
from clusters.kind.cluster.creation import Kind, lock_of, running_proxy
from clusters.kind.cluster.delivery import KUBEADMS, kubectl
from clusters.program import Judged
from specification.addresses import SERVICE_RANGES
from specification.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clusters.implementation import Implementation
    from clusters.kind.docker.engine import Engine

_DEFAULT_MODE = "iptables"
_ROLLOUT = 120.0  # seconds for the proxy to run again as it did


@contextlib.contextmanager
def cluster(
    engine: Engine, name: str, implementation: Implementation, modes: Sequence[str]
) -> Iterator[Kind]:
    """The kind cluster ``name``, for as long as the block lasts; nobody else judges it meanwhile.
    Which of the ``modes`` it is in kubeadm's configuration tells; of what a manifest has deployed
    only one may be asked for.

    Raises ArtifactError with one line that says why it cannot be judged.
    """
    for role in NODES:
        done = engine.docker("inspect", "-f", "{{.State.Running}}", f"{name}-{role}", check=False)
        if done.stdout.strip() != "true":
            raise ArtifactError(
                f"--kind-cluster {name}: no container {name}-{role} runs; a cluster with a control"
                " plane and a worker is needed (kind get clusters tells which there are)"
            )
    if not implementation.kind:
        mode = _mode(engine, name)
    elif len(modes) == 1:
        mode = modes[0]
    else:
        known = ", ".join(implementation.modes)
        raise ArtifactError(
            f"--kind-cluster {name} is in one mode: say --modes with one of {known}"
        )
    if why := _obstacle(engine, name):
        raise ArtifactError(f"--kind-cluster {name}: {why}")
    worker = configuration.worker(name)
    if implementation.kind:
        judged = delivery.delivered(implementation, engine, name)
    else:
        information = _told(engine, name, "get", "node", worker)["status"]["nodeInfo"]
        image = engine.docker("inspect", "-f", "{{.Config.Image}}", worker).stdout.strip()
        judged = Judged(image, information["kubeletVersion"], running_proxy(engine, worker))
    with locked(lock_of(name), f"waiting: another run judges {name}", None):
        yield Kind(engine, {mode: name}, judged)
        namespace, _, daemonset = (implementation.kind or KUBEADMS).daemonset.partition("/")
        rollout = ("rollout", "status", f"daemonset/{daemonset}", f"--timeout={_ROLLOUT:.0f}s")
        kubectl(engine, name, "-n", namespace, *rollout, timeout=_ROLLOUT + 10)


def _mode(engine: Engine, name: str) -> str:
    """The mode that kubeadm's configuration of kube-proxy names."""
    maps = _told(engine, name, "-n", "kube-system", "get", "configmap", "kube-proxy")
    described = yaml.safe_load(maps["data"]["config.conf"])
    return str(described.get("mode") or _DEFAULT_MODE)


def _obstacle(engine: Engine, name: str) -> str:
    """Why the cluster cannot be judged; empty where it can."""
    node = _told(engine, name, "get", "node", configuration.worker(name))
    addresses = [each for each in node["status"]["addresses"] if each["type"] == "InternalIP"]
    if {ip_address(each["address"]).version for each in addresses} != {4, 6}:
        return "it is single-stack, and every requirement is judged in both families: ipFamily dual"
    ranges = _told(engine, name, "get", "servicecidr", "kubernetes")["spec"]["cidrs"]
    wanted = [str(each) for each in SERVICE_RANGES.values()]
    if sorted(ranges) != sorted(wanted):
        return f"its serviceSubnet is {','.join(ranges)}, and {','.join(wanted)} is needed"
    daemons = _told(engine, name, "-n", "kube-system", "get", "daemonsets")["items"]
    if any(each["metadata"]["name"] == "kindnet" for each in daemons):
        return (
            "its kindnet masquerades what leaves the pod network, which would be taken for"
            " kube-proxy's doing: networking.disableDefaultCNI true"
        )
    return ""


def _told(engine: Engine, name: str, *argv: str) -> dict[str, Any]:
    """What kubectl says, from its JSON."""
    found: dict[str, Any] = json.loads(kubectl(engine, name, *argv, "-o", "json").stdout)
    return found
