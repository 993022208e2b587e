"""The agent's own API, on its socket: pods are announced there, as a CNI plug-in does."""

from __future__ import annotations

import http.client
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_AT_ONCE: Final = 16
_TIMEOUT: Final = 280.0  # seconds: a program of a pod takes a quarter of one, and all are made anew
_PAUSE: Final = 0.05  # seconds between looks


class _Connection(http.client.HTTPConnection):
    """To a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_TIMEOUT)
        self._path = path

    def connect(self) -> None:
        """See HTTPConnection."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_TIMEOUT)
        self.sock.connect(str(self._path))


def _ask(path: Path, method: str, url: str, body: object = None) -> Any:
    connection = _Connection(path)
    try:
        sent = json.dumps(body) if body is not None else None
        connection.request(method, url, sent, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        told = answer.read().decode()
    finally:
        connection.close()
    if answer.status >= http.client.BAD_REQUEST:
        raise OSError(f"the agent answers {answer.status} to {method} {url}: {told}")
    return json.loads(told) if told else None


def announce(path: Path, link: Mapping[str, Any], pods: Sequence[Mapping[str, str]]) -> None:
    """Make an endpoint of each pod that is none yet, and return once the agent has a program for
    each; ``link`` is what ``ip -json link`` says of the wire behind which they are.

    (To have the agent answer only then, ``sync-build-endpoint``, takes forever now and then, where
    a node has many to build at once.)

    Raises:
        OSError: the agent cannot be asked, or refuses.
        TimeoutError: some are not ready in time.
    """

    def create(pod: Mapping[str, str]) -> None:
        endpoint = {
            "addressing": {"ipv4": pod["IPv4"], "ipv6": pod["IPv6"]},
            "container-id": pod["IPv4"].replace(".", "-"),
            "interface-name": link["ifname"],
            "interface-index": link["ifindex"],
            "host-mac": link["address"],
            "mac": pod["mac"],
            "labels": ["container:role=pod"],
            "state": "waiting-for-identity",
            "sync-build-endpoint": False,
            "datapath-configuration": {"external-ipam": True},
        }
        try:
            _ask(path, "PUT", "/v1/endpoint/cilium-local:0", endpoint)
        except OSError as problem:  # an agent that has just started is still restoring them
            if "already exists" not in str(problem):
                raise

    known = _states(path)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(create, [each for each in pods if each["IPv4"] not in known]))
    wanted, end = {each["IPv4"] for each in pods}, time.monotonic() + _TIMEOUT
    while unready := wanted - {address for address, state in _states(path).items() if state}:
        if time.monotonic() > end:
            raise TimeoutError(f"{len(unready)} of {len(wanted)} pods have no program yet")
        time.sleep(_PAUSE)


def _states(path: Path) -> dict[str, bool]:
    """Whether the endpoint of each address has a program that runs."""
    return {
        each["ipv4"]: endpoint["status"]["state"] == "ready"
        for endpoint in _ask(path, "GET", "/v1/endpoint")
        for each in endpoint["status"]["networking"].get("addressing") or []
        if "ipv4" in each
    }
