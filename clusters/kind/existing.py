"""A kind cluster that was there before: whether it can be judged; it is left as it was found."""

from __future__ import annotations

import contextlib
import json
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import yaml

from clusters.addresses import SERVICE_RANGES
from clusters.kind.configuration import KUBECTL, NODES
from clusters.kind.creation import Kind, running_proxy
from clusters.toolchain import ArtifactError, cache_folder, locked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clusters.kind.engine import Engine

_DEFAULT_MODE = "iptables"
_ROLLOUT = 120.0  # seconds for kube-proxy to run again as it did


@contextlib.contextmanager
def cluster(engine: Engine, name: str) -> Iterator[Kind]:
    """The kind cluster ``name``, for as long as the block lasts; nobody else judges it meanwhile.

    Raises ArtifactError with one line that says why it cannot be judged.
    """
    for role in NODES:
        done = engine.docker("inspect", "-f", "{{.State.Running}}", f"{name}-{role}", check=False)
        if done.stdout.strip() != "true":
            raise ArtifactError(
                f"--kind-cluster {name}: no container {name}-{role} runs; a cluster with a control"
                " plane and a worker is needed (kind get clusters tells which there are)"
            )
    mode = _mode(engine, name)
    if why := _obstacle(engine, name):
        raise ArtifactError(f"--kind-cluster {name}: {why}")
    worker = f"{name}-{NODES[-1]}"
    version = _kubectl(engine, name, "get", "node", worker)["status"]["nodeInfo"]["kubeletVersion"]
    image = engine.docker("inspect", "-f", "{{.Config.Image}}", worker).stdout.strip()
    lock = cache_folder() / "kind" / "runs" / f"{name}.lock"
    with locked(lock, f"waiting: another run judges {name}", None):
        yield Kind(
            engine.host,
            str(engine.proc),
            engine.own,
            {mode: name},
            version,
            image,
            running_proxy(engine, worker),
        )
        rollout = ("rollout", "status", "daemonset/kube-proxy", f"--timeout={_ROLLOUT:.0f}s")
        control_plane = f"{name}-{NODES[0]}"
        argv = (*KUBECTL, "-n", "kube-system", *rollout)
        engine.docker("exec", control_plane, *argv, timeout=_ROLLOUT + 10)


def _mode(engine: Engine, name: str) -> str:
    """The mode that kubeadm's configuration of kube-proxy names."""
    maps = _kubectl(engine, name, "-n", "kube-system", "get", "configmap", "kube-proxy")
    described = yaml.safe_load(maps["data"]["config.conf"])
    return str(described.get("mode") or _DEFAULT_MODE)


def _obstacle(engine: Engine, name: str) -> str:
    """Why the cluster cannot be judged; empty where it can."""
    node = _kubectl(engine, name, "get", "node", f"{name}-{NODES[-1]}")
    addresses = [each for each in node["status"]["addresses"] if each["type"] == "InternalIP"]
    if {ip_address(each["address"]).version for each in addresses} != {4, 6}:
        return "it is single-stack, and every requirement is judged in both families: ipFamily dual"
    ranges = _kubectl(engine, name, "get", "servicecidr", "kubernetes")["spec"]["cidrs"]
    wanted = [str(each) for each in SERVICE_RANGES]
    if sorted(ranges) != sorted(wanted):
        return f"its serviceSubnet is {','.join(ranges)}, and {','.join(wanted)} is needed"
    daemons = _kubectl(engine, name, "-n", "kube-system", "get", "daemonsets")["items"]
    if any(each["metadata"]["name"] == "kindnet" for each in daemons):
        return (
            "its kindnet masquerades what leaves the pod network, which would be taken for"
            " kube-proxy's doing: networking.disableDefaultCNI true"
        )
    return ""


def _kubectl(engine: Engine, name: str, *argv: str) -> dict[str, Any]:
    """What kubectl on the control plane says, as JSON."""
    done = engine.docker("exec", f"{name}-{NODES[0]}", *KUBECTL, *argv, "-o", "json")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
