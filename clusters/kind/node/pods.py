"""A pod on a kind node, as the node sees it: its processes and its log."""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from specification.errors import StartError

if TYPE_CHECKING:
    from clusters.api import Api
    from specification.services import Object

LOOK = 0.05  # seconds between looks at the API server

_LINE = re.compile(rb"^\S+ (?:stdout|stderr) ([FP]) ", re.MULTILINE)
"""What the container runtime puts before each line (CRI, kubernetes: log.go of the kubelet)."""


_TASKS = "run/containerd/io.containerd.runtime.v2.task/k8s.io"
"""Where containerd has a folder for each container that runs: its OCI configuration, with what the
kubelet calls it (CRI, containerd: pkg/cri/annotations), and its process.
"""


class PodLog:
    """What the container ``container`` of a pod prints, over its restarts, on the node whose files
    are under ``root``.

    Its files are kept open from the first look to ``close()``: what a container prints when it ends
    is read even after the kubelet has removed them.
    """

    def __init__(self, root: Path, pod: Object, container: str) -> None:
        metadata = pod["metadata"]
        name = f"{metadata['namespace']}_{metadata['name']}_{metadata['uid']}"
        self._folder = root / "var/log/pods" / name / container
        self._open: dict[str, BinaryIO] = {}

    def new(self) -> bytes:
        """What has been printed since the last look, in whole lines."""
        for file in sorted(self._folder.glob("*.log"), key=lambda file: int(file.stem)):
            if file.name not in self._open:
                with suppress(FileNotFoundError):  # the kubelet removes it at this moment
                    self._open[file.name] = file.open("rb")
        return b"".join(_LINE.sub(b"", _whole_lines(log)) for log in self._open.values())

    def close(self) -> None:
        """Let the pod's files go."""
        for log in self._open.values():
            log.close()
        self._open.clear()


def _whole_lines(log: BinaryIO) -> bytes:
    """The lines from where ``log`` stands; it then stands behind the last whole one."""
    position = log.tell()
    lines, end, _ = log.read().rpartition(b"\n")
    log.seek(position + len(lines) + len(end))
    return lines + end


def first_process(root: Path, pod: Object, container: str) -> int:
    """The id, on the node whose files are under ``root``, of the first process of a pod's container
    ``container``; 0 where there is none.
    """
    wanted = {
        "io.kubernetes.cri.sandbox-uid": pod["metadata"]["uid"],
        "io.kubernetes.cri.container-name": container,
    }
    for task in (root / _TASKS).glob("*"):
        try:
            annotations = json.loads((task / "config.json").read_text())["annotations"]
            if wanted.items() <= annotations.items():
                return int((task / "init.pid").read_text())
        except (OSError, ValueError):  # it is being made, or removed
            continue
    return 0


def run_to_end(api: Api, root: Path, body: Object, timeout: float) -> tuple[int, str]:
    """Run a pod of one container on the node whose files are under ``root``, and remove it: its
    exit code and what it printed.

    Raises StartError where it has not ended after ``timeout`` seconds.
    """
    name, namespace = body["metadata"]["name"], body["metadata"]["namespace"]
    container = body["spec"]["containers"][0]["name"]
    pod = api.create("pods", body, namespace)
    log = PodLog(root, pod, container)
    deadline = time.monotonic() + timeout
    try:
        while "terminated" not in (state := state_of(api.get("pods", name, namespace), container)):
            if time.monotonic() > deadline:
                raise StartError(f"the pod {name} does not end: {state}")
            time.sleep(LOOK)
        return state["terminated"]["exitCode"], log.new().decode(errors="replace")
    finally:
        log.close()
        api.delete_now("pods", name, namespace)


def state_of(pod: Object, container: str, key: str = "state") -> dict[str, Any]:
    """The state of a container that a Pod object tells; empty where it has none yet."""
    for status in pod["status"].get("containerStatuses", []):
        if status["name"] == container:
            found: dict[str, Any] = status.get(key, {})
            return found
    return {}
