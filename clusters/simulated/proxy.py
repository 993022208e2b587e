"""The specification as a Service proxy: it follows the API as proxies do, and does of what
specification.rules allows one thing, drawn by a seed.
"""

from __future__ import annotations

import io
import json
import random
import time
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from clusters.contract import Proxy
from clusters.registration import ZONE_LABEL
from clusters.simulated.api import MemoryApi, resource_of
from clusters.simulated.kernel import Decision, Deliver, Drop, Kernel, Pass, Refuse
from specification import reading
from specification.addresses import CLUSTER_CIDRS, FAMILIES, Family, IPAddress, IPNetwork, pod_cidr
from specification.attempts import Attempt, SocketAddress
from specification.errors import UnsupportedError
from specification.places import Place
from specification.rules.allowed import Allowed, allowed
from specification.rules.flows import Flow, goes_on
from specification.rules.frontends import claims
from specification.rules.state import Configuration, Node, Remembered, State

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence

    from clusters.implementation import Implementation
    from specification.services import Object, Protocol, ServiceSpec

_READ = {"services": reading.service, "endpointslices": reading.endpoint_slice}
_Client = tuple[IPAddress, str, str, str]


class _Known(NamedTuple):
    """Whom a client had, and when."""

    endpoint: SocketAddress
    time: float


class SpecifiedProxy(Proxy):
    """The rules of a node's kernel that follow from an API's objects, as far as they are known.

    While it runs, what is written to the API is in force for the next new connection; else all is
    left as it is.
    """

    def __init__(
        self,
        implementation: Implementation,
        mode: str,
        api: MemoryApi,
        node_name: str,
        seed: int = 0,
    ) -> None:
        self.implementation, self.mode = implementation, mode
        self.seconds_to_ready = 0.0
        self.known: dict[str, Object] = {}
        """The objects that it knows, by path."""
        self._api, self._node = api, node_name
        self._seen = {"services": 0, "endpointslices": 0, "nodes": 0}
        self._specs: dict[str, ServiceSpec] = {}
        self._running = False
        self._configuration = Configuration()
        self._features = implementation.claimed(mode)
        self._random = random.Random(seed)
        self._clients: dict[_Client, _Known] = {}
        self._kernel: Kernel | None = None
        self._log = io.StringIO()
        self._renew()

    def join(self, kernel: Kernel) -> None:
        """Have it program a kernel."""
        self._kernel, kernel.rule = kernel, self

    # --- what it knows ----------------------------------------------------------------------------

    def take(self, resource: str, count: int | None = None) -> None:
        """Take over the next ``count`` events of a resource, or all there are."""
        events = self._api.events
        while self._seen[resource] < len(events) and count != 0:
            path, body = events[self._seen[resource]]
            self._seen[resource] += 1
            if resource_of(path) != resource:
                continue
            count = count and count - 1
            self.learn(path, body)

    def learn(self, path: str, body: Object | None) -> None:
        """Take over what an object is by now; ``None`` where it is gone."""
        self._stale = True
        self.known.pop(path, None)
        self._specs.pop(path, None)
        if body is not None:
            self.known[path] = body
            if read := _READ.get(resource_of(path)):
                self._specs[path] = read(body)

    def sync(self) -> None:
        """Take everything over, if it runs."""
        if self._running:
            for resource in self._seen:
                self.take(resource)

    def _renew(self) -> None:
        """Decide by what is known now; flows that do not go on are forgotten."""
        self._stale = False
        addresses = tuple(Kernel.address(family) for family in FAMILIES)
        node = self.known.get(f"/api/v1/nodes/{self._node}", {"metadata": {}})
        zone = node["metadata"].get("labels", {}).get(ZONE_LABEL)
        self._state = State(
            tuple(self._specs.values()),
            Node(self._node, addresses, zone),
            self._configuration,
            self._features,
        )
        self._decided: dict[tuple[Protocol, IPAddress, SocketAddress, Place], Sequence[Decision]]
        self._decided = {}
        if self._kernel:
            self._kernel.review(self._goes_on)

    # --- what it decides --------------------------------------------------------------------------

    def __call__(self, attempt: Attempt, place: Place) -> Decision:
        """What becomes of a new connection."""
        self.sync()
        if self._stale:
            self._renew()
        key = attempt.protocol, attempt.client.address, attempt.target, place
        claimed = claims(self._state).get((attempt.protocol, attempt.target))
        if claimed is None or claimed[0].service.session_affinity == "None":
            if key not in self._decided:
                self._decided[key] = self._decisions(attempt, place)
            return self._random.choice(self._decided[key])
        service, port = claimed[0].service, claimed[0].port
        client = attempt.client.address, service.namespace, service.name, port.name
        now = time.monotonic()
        if before := self._clients.get(client):
            self._state.affinity[client] = Remembered(before.endpoint, now - before.time)
        decision = self._random.choice(self._decisions(attempt, place))
        if isinstance(decision, Deliver):
            self._clients[client] = _Known(decision.endpoint, now)
        return decision

    def _decisions(self, attempt: Attempt, place: Place) -> Sequence[Decision]:
        right = allowed(self._state, attempt, place)
        claimed = claims(self._state).get((attempt.protocol, attempt.target), ())
        others = [each.service for each in claimed if each.service is not claimed[0].service]
        if right.undecided and others:  # any of several may have it: here the first
            left = tuple(each for each in self._state.services if each not in others)
            right = allowed(replace(self._state, services=left), attempt, place)
        who = f"{attempt.protocol} {attempt.client} ({place}) -> {attempt.target}"
        self._note(f"{who}: {right} ({', '.join(right.because)})")
        return decisions(right, attempt, self._state.node)

    def _goes_on(self, attempt: Attempt, place: Place, begun: Deliver | Pass) -> bool:
        """Whether a flow is still one: where nothing says so, it is not, but for connections whose
        frontend has gone (ct-tcp-never asks for these).
        """
        if isinstance(begun, Pass):
            return attempt.protocol != "UDP" or allowed(self._state, attempt, place).passed
        flow = Flow(attempt, begun.endpoint, "client" if begun.source is None else "node")
        right = goes_on(self._state, flow, place)
        gone = (attempt.protocol, attempt.target) not in claims(self._state)
        return begun.endpoint in right.deliveries or (gone and attempt.protocol != "UDP")

    # --- what it is asked as a program ------------------------------------------------------------

    @property
    def stepwise(self) -> bool:
        """See Proxy."""
        return False

    @property
    def running(self) -> bool:
        """See Proxy."""
        return self._running

    @property
    def ended(self) -> str:
        """See Proxy: it does not."""
        return ""

    @property
    def pid(self) -> int:
        """See Proxy."""
        raise UnsupportedError("a simulated proxy is no process")

    @property
    def log(self) -> Path:  # type: ignore[override]
        """See Proxy."""
        raise UnsupportedError("a simulated proxy has no log file")

    @property
    def directory(self) -> Path:  # type: ignore[override]
        """See Proxy."""
        raise UnsupportedError("a simulated node has no files")

    def start(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        wrapper: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        ready: bool = True,  # noqa: ARG002  (it is at once)
    ) -> None:
        """See Proxy."""
        if wrapper or environment:
            raise UnsupportedError("a simulated proxy is started by no command")
        self._configuration = configured(config or {})
        self._running = self._stale = True
        self._note("started")

    def stop(self) -> None:
        """See Proxy."""
        self._running = False
        self._note("stopped")

    kill = close = stop

    def restart(self, config: Mapping[str, Any] | None = None) -> None:
        """See Proxy."""
        self.stop()
        self.start(config)

    def cleanup(
        self,
        timeout: float = 0.0,  # noqa: ARG002
    ) -> subprocess.CompletedProcess[str]:
        """See Proxy."""
        raise UnsupportedError("a simulated proxy has no command that cleans up")

    def announce(self, pods: Sequence[Mapping[Family, IPAddress]]) -> None:
        """See Proxy: it knows all there are."""

    def metrics(self) -> dict[str, float]:
        """See Proxy."""
        raise UnsupportedError("a simulated proxy has no metrics")

    def log_since(self, position: int) -> str:
        """See Proxy."""
        return self._log.getvalue()[position:]

    def log_position(self) -> int:
        """See Proxy."""
        return self._log.tell()

    def modes_in_kernel(self) -> set[str]:
        """See Proxy."""
        return {self.mode}

    def rules(self, timeout: float = 0.0) -> str:  # noqa: ARG002  (it is at once)
        """See Proxy."""
        return json.dumps(self.known, indent=1)

    def _note(self, line: str) -> None:
        self._log.write(f"{line}\n")


def decisions(right: Allowed, attempt: Attempt, node: Node) -> Sequence[Decision]:
    """The decisions that are right, each endpoint as often as the others. What is left to the node
    itself it refuses itself. What nothing is decided of is left alone, and what nothing is right
    for is refused.
    """
    if right.undecided:
        return [Pass()]
    found: list[Decision] = []
    own = node.primary[FAMILIES[attempt.target.address.version == 6]]
    for endpoint, seen in right.deliveries.items():
        shown = (None, own) if seen == "either" else (own if seen == "node" else None,) * 2
        found += [Deliver(endpoint, each) for each in shown]
    if right.refused:
        mine = "nobody_listens_at_the_node" in right.because
        found.append(Pass() if mine else Refuse())
    found += [Drop()] if right.dropped else []
    found += [Pass()] if right.passed else []
    return found or [Refuse()]


_SETTINGS = {"clusterCIDR", "detectLocalMode", "detectLocal", "nodePortAddresses", "featureGates"}
"""What it is told by, beside the tables of modes."""


def configured(given: Mapping[str, Any]) -> Configuration:
    """A KubeProxyConfiguration as the specification has it; UnsupportedError for what it says
    nothing of.
    """
    modes = {mode: given[mode] for mode in ("iptables", "nftables", "ipvs") if mode in given}
    own = {f"{mode}.{key}" for mode, table in modes.items() for key in table}
    gates = given.get("featureGates", {})
    unknown = given.keys() - modes.keys() - _SETTINGS
    unknown |= gates.keys() - {"AllowServiceExternalIPs"}
    of_the_node = given.get("detectLocalMode") == "NodeCIDR"
    unknown |= {each for each in own if not each.endswith((".masqueradeAll", ".minSyncPeriod"))}
    if unknown:
        raise UnsupportedError(f"a simulated proxy has no setting {', '.join(sorted(unknown))}")
    pods = [pod_cidr(0, each) for each in FAMILIES] if of_the_node else CLUSTER_CIDRS.values()
    cidrs = str(given.get("clusterCIDR", ",".join(map(str, pods))))
    return Configuration(
        pod_networks=_networks(filter(None, cidrs.split(","))),
        pods_by_link="detectLocal" in given,
        masquerade_all=any(mode.get("masqueradeAll", False) for mode in modes.values()),
        node_port_addresses=_networks(given.get("nodePortAddresses", ())) or None,
        external_ips=gates.get("AllowServiceExternalIPs", True),
    )


def _networks(named: Any) -> tuple[IPNetwork, ...]:
    return tuple(ip_network(each) for each in named if each != "primary")
