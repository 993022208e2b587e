"""What kube-proxy answers at ports of its own."""

from __future__ import annotations

import http.client
from typing import Final, NamedTuple

from conformance.vocabulary import Node

METRICS: Final = 10249
HEALTH: Final = 10256
"""Where it listens by default (TCP)."""

_TIMEOUT = 10.0  # seconds


class Told(NamedTuple):
    """One answer."""

    status: int
    kind: str
    body: str


class Bytes(NamedTuple):
    """One answer that may be no text."""

    status: int
    kind: str
    body: bytes


def told(node: Node, port: int, path: str, method: str = "GET", body: bytes | None = None) -> Told:
    """What the kube-proxy of a node answers at its management address."""
    status, kind, said = ask(node, port, path, method, body)
    return Told(status, kind, said.decode())


def ask(
    node: Node,
    port: int,
    path: str,
    method: str = "GET",
    body: bytes | None = None,
    *,
    accept: str = "*/*",
) -> Bytes:
    """What it answers, in a format that the asker accepts."""
    asked = http.client.HTTPConnection(node.management_address, port, timeout=_TIMEOUT)
    asked.request(method, path, body, {"Connection": "close", "Accept": accept})
    got = asked.getresponse()
    return Bytes(got.status, got.headers.get_content_type(), got.read())
