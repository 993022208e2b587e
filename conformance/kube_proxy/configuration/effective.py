"""The configuration that a running kube-proxy goes by, as it tells it at /configz."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from conformance.vocabulary import Node, answer_at, by_time

_SECONDS = 240  # after which a proxy that is started should serve what it tells of itself
_GROUP = "kubeproxy.config.k8s.io"


class Effective(NamedTuple):
    """What is known of a start."""

    configuration: dict[str, Any]
    """By the fields of the API, all of them."""
    oom_score: int
    """Of its process."""
    metrics: str
    """What it serves of them."""
    log: str
    """What it has said so far."""


def effective(node: Node, port: int, position: int, address: str = "") -> Effective:
    """What is in force of a proxy that serves its metrics at this port, and at the management
    address unless another one is given; the log counts from ``position`` on.
    """
    at = address or node.management_address

    def told(path: str) -> str:
        assert node.proxy.running, node.proxy.log_since(position)
        with suppress(ConnectionResetError):  # it ends: next time it does not run
            answer = answer_at(node.system, at, port, path)
            return answer.body if answer else ""
        return ""

    return Effective(
        json.loads(by_time(f"port {port} is open", partial(told, "/configz"), _SECONDS))[_GROUP],
        int(node.read(f"/proc/{node.proxy.pid}/oom_score_adj")),
        told("/metrics"),
        node.proxy.log_since(position),
    )
