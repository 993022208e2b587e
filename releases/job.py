"""Shards as a Kubernetes Indexed Job, a pod each, which leave their results in their logs.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import yaml

from releases import shards

if TYPE_CHECKING:
    from collections.abc import Sequence

    from releases.plan import Asked
    from releases.shards import Shard

NAME: Final = "conform-releases"
"""Of the Job, and with ``batch.kubernetes.io/job-name`` the label of its pods."""

_WORKERS: Final = 2
"""Side by side in a pod where ``-n`` says nothing: what a node is asked for must be known."""
_GIBIBYTES: Final = 2
"""Of memory for each."""

_SECURITY: Final = {
    "runAsUser": 0,  # who alone has these capabilities
    "capabilities": {
        "drop": ["ALL"],
        "add": [
            "SYS_ADMIN",  # namespaces, and what is mounted in them
            "NET_ADMIN",  # the links and rules in them
            "NET_RAW",  # the lab's frames
        ],
    },
    "seccompProfile": {"type": "RuntimeDefault"},
    # that of container runtimes refuses to mount, whatever the capabilities
    "appArmorProfile": {"type": "Unconfined"},
}
"""What the sandbox needs (clusters.sandbox), and no more."""


def manifest(asked: Asked, planned: Sequence[Shard], image: str) -> str:
    """The Job's YAML: a pod of ``image`` (see the Containerfile) for each of the shards."""
    said = asked.run.numprocesses
    workers = max(1, int(said)) if said.isdecimal() else _WORKERS
    run = dataclasses.replace(asked.run, numprocesses=str(workers))
    words = shards.words(dataclasses.replace(asked, run=run))
    room = {"cpu": str(workers), "memory": f"{workers * _GIBIBYTES}Gi"}
    container = {
        "name": "shard",
        "image": image,
        "command": ["./conform", *words, "--shard", "$(JOB_COMPLETION_INDEX)", "--print"],
        "resources": {"requests": room, "limits": {"memory": room["memory"]}},
        "securityContext": _SECURITY,
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "containers": [container],
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": NAME},
        "spec": {
            "completionMode": "Indexed",
            "completions": len(planned),
            "parallelism": len(planned),  # as many at once as there is room for
            "backoffLimitPerIndex": 0,  # what was not judged is told, and not tried again
            "template": {"spec": pod},
        },
    }
    return yaml.safe_dump(job, sort_keys=False)
