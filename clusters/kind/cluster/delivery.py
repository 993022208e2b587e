"""How a Service proxy that a manifest deploys gets into kind clusters, and what runs there then."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

from clusters.implementation import SYNC_PERIOD, Deployment, fill
from clusters.kind.cluster.configuration import KUBECTL, control_plane
from clusters.program import Judged
from specification.addresses import CLUSTER_CIDRS
from specification.errors import ArtifactError

if TYPE_CHECKING:
    from pathlib import Path

    from clusters.implementation import Implementation
    from clusters.kind.docker.engine import Engine

KUBEADMS = Deployment(
    manifest="",
    daemonset="kube-system/kube-proxy",
    binary="/usr/local/bin/kube-proxy",
    configmap="kube-proxy",
)
"""What kubeadm deploys."""

_PORT = 6443


def manifest(implementation: Implementation, mode: str, cluster: str) -> str:
    """The objects that deploy the proxy in the kind cluster ``cluster``, as text in YAML; empty
    where kubeadm deploys it.

    Raises ArtifactError where the manifest cannot be read.
    """
    deployment = implementation.kind
    if deployment is None:
        return ""
    place = implementation.path.parent / deployment.manifest
    try:
        text = place.read_text()
    except (OSError, UnicodeDecodeError) as problem:
        raise ArtifactError(
            f"{implementation.path}: [kind] manifest: {place} cannot be read: {problem}"
        ) from None
    host = control_plane(cluster)
    values = {
        "mode": mode,
        "cluster_cidrs": ",".join(map(str, CLUSTER_CIDRS.values())),
        "min_sync_period": SYNC_PERIOD,
        "server": f"https://{host}:{_PORT}",
        "server_host": host,
        "server_port": str(_PORT),
    }
    filled: str = fill(text, values)
    return filled


def images(implementation: Implementation, engine: Engine, folder: Path) -> Path | None:
    """Write into ``folder`` an archive of the images that nodes are not to pull; ``None`` where
    there are none.

    Raises ArtifactError where they cannot be had.
    """
    argv = implementation.kind.images if implementation.kind else []
    if not argv:
        return None
    where, place = f"{implementation.path}: [kind] images", folder / "images.tar"
    try:
        with place.open("wb") as archive:
            done = subprocess.run(
                argv,
                cwd=implementation.path.parent,
                env=engine.environment,
                stdin=subprocess.DEVNULL,
                stdout=archive,
                stderr=subprocess.PIPE,
                check=False,
            )
    except OSError as problem:
        raise ArtifactError(f"{where}: {argv[0]} cannot be run: {problem}") from None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise ArtifactError(f"{where}: {argv[0]} failed: {(lines or ['it said nothing'])[-1]}")
    return place


def delivered(implementation: Implementation, engine: Engine, cluster: str) -> Judged:
    """What a manifest's DaemonSet runs in the kind cluster ``cluster``.

    Raises ArtifactError where it does not say its version.
    """
    deployment = implementation.kind or KUBEADMS
    namespace, _, name = deployment.daemonset.partition("/")
    statuses = _statuses(engine, cluster, deployment)
    if not statuses:
        raise ArtifactError(
            f"no node of {cluster} has a pod of the DaemonSet {name} in {namespace}"
        )
    status = statuses[0]
    argv = fill(implementation.version, {"binary": deployment.binary})
    into = (f"--namespace={namespace}", "exec", f"daemonset/{name}")
    container = f"--container={status['name']}"
    done = kubectl(engine, cluster, *into, container, "--", *argv, check=False)
    version = re.search(implementation.version_pattern, done.stdout)
    if done.returncode or not version:
        said = (done.stdout + done.stderr).strip().partition("\n")[0][:100]
        raise ArtifactError(
            f"{implementation.path}: version: {' '.join(argv)} in a pod of {name} said"
            f" {said or 'nothing'!r}"
        )
    return Judged(status["image"], version[1], status["imageID"].rpartition("sha256:")[2])


def trouble(engine: Engine, cluster: str, deployment: Deployment) -> str:
    """Why a pod of the deployment does not run in the kind cluster ``cluster``, in a few words."""
    for status in _statuses(engine, cluster, deployment):
        waiting = status["state"].get("waiting")
        if waiting:
            ended = status.get("lastState", {}).get("terminated", {})
            said = ended.get("message") or waiting.get("message", "")
            return f"{waiting['reason']} {' '.join(said.split())}".strip()
    return "nothing is known of its pods"


def _statuses(engine: Engine, cluster: str, deployment: Deployment) -> list[dict[str, Any]]:
    """The statuses of the proxy's containers in all pods of the deployment."""
    namespace, _, name = deployment.daemonset.partition("/")
    asked = (f"--namespace={namespace}", "get", "pods", "--output=json")
    listed = kubectl(engine, cluster, *asked, check=False).stdout
    found = []
    for pod in json.loads(listed)["items"] if listed else []:
        owners = [each["name"] for each in pod["metadata"].get("ownerReferences", [])]
        first = pod["spec"]["containers"][0]["name"]
        if owners == [name]:
            statuses = pod["status"].get("containerStatuses", [])
            found += [each for each in statuses if each["name"] == first]
    return found


def kubectl(
    engine: Engine, cluster: str, *argv: str, **more: Any
) -> subprocess.CompletedProcess[str]:
    """Run kubectl on the control plane of the kind cluster ``cluster``; see Engine.docker."""
    return engine.docker("exec", control_plane(cluster), *KUBECTL, *argv, **more)
