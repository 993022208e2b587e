"""The nodes that a bench compares: one for each mode, and one without a proxy.

Each mode has a control plane of its own with the same Services in it, so a change is made to one
mode at a time, and no other proxy is at work while it is timed. All nodes that are namespaces share
the machine's kernel.
"""

from __future__ import annotations

import contextlib
import math
import random
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from bench.costs import cpu_seconds
from bench.figures.packets import Stopwatch
from bench.population import Population, Target
from clusters.embedded.substrate import Embedded
from fixtures.clients.client import LabClient
from fixtures.lab.hosts import Hosts
from fixtures.lab.lab import Lab
from fixtures.world.latency import LIMIT, pause
from specification.errors import UnmeasurableError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from clusters.contract import Cluster, Node, Proxy, Substrate
    from clusters.implementation import Implementation
    from clusters.vm.supply import Machines

Result = TypeVar("Result")
Turn = TypeVar("Turn")

LEAST: Final = 5
"""Repetitions that are made however late it is: fewer prove nothing."""

_CLIENTS: Final = 64  # pods that take turns in opening connections
_TURN: Final = 20_000  # ports that one of them uses of its 44,000: a batch may go beyond
_STILL: Final = 0.03  # seconds in which an idle proxy uses no processor time ...
_STILL_EMULATED: Final = 0.3  # ... and where a program that it has started takes longer to end
_SHARE: Final = 0.1  # of the time that is left, for one more of what takes long
_PAUSE: Final = 0.002  # seconds, at least, between looks at a proxy that starts
_PATIENCE: Final = 60.0  # seconds for a start, and ...
_PATIENCE_EACH: Final = 0.04  # ... for each Service: some ten times what kube-proxy takes
_LISTING: Final = 300.0  # seconds for a listing of everything
_LOG: Final = 4000  # bytes of the log in which a complaint is looked for
_FAILURES: Final = 2  # times that a proxy fails to program before it is given up


class Site:
    """A node with the lab around it and the cluster that it belongs to."""

    def __init__(self, mode: str | None, cluster: Cluster, node: Node, seed: int) -> None:
        self.mode = mode
        """``None``: the node without a proxy."""
        self.cluster = cluster
        self.node = node
        self.hosts = Hosts()
        self.lab = Lab(node, seed)
        pods = self.hosts("pod", _CLIENTS)
        self._clients = [LabClient(self.lab, pod, "IPv4", "TCP") for pod in pods]
        self.stopwatch = Stopwatch(node)
        self.population = Population(cluster.api)
        self.rolling = Population(cluster.api, "rolling")
        """The Service that a rolling update is made of."""
        self.batch = Population(cluster.api, "batch")
        """Services that come and go together."""

    def __repr__(self) -> str:
        return f"<site of {self.mode or 'no proxy'}, {len(self.population)} Services>"

    @property
    def client(self) -> LabClient:
        """A pod that has used none of the next ports lately.

        IPVS remembers a connection for a minute, whatever is done to conntrack, and sends one that
        is opened from the same port to the same endpoint; a look every few milliseconds uses up a
        pod's ports in less.
        """
        return self._clients[self.lab.ports_used // _TURN % len(self._clients)]

    @property
    def proxy(self) -> Proxy:
        """The proxy on the node."""
        return self.node.proxy

    @property
    def targets(self) -> list[Target]:
        """All Services, as they were made."""
        return self.population.targets

    @property
    def patience(self) -> float:
        """Seconds after which a proxy that has not programmed all Services is given up."""
        seconds = _PATIENCE + _PATIENCE_EACH * len(self.population)
        return seconds * (8 if self.node.system.emulated else 1)

    def start_cold(self, config: Mapping[str, Any] | None = None) -> float:
        """Remove what the proxy has programmed, start it, and return the seconds until every
        Service is in force, seen on the wire.

        Raises:
            UnmeasurableError: it has ended, has failed again and again, or has not made it in
                time.
        """
        proxy, patience = self.proxy, self.patience
        proxy.stop()
        self._in_time(partial(proxy.cleanup, patience), "the removal of its rules")
        log = proxy.log_position()
        start = time.monotonic()
        proxy.start(config, ready=False)
        last = self.targets[-1].socket
        looked = start
        while not self.client.connect_to_each([last]).is_served.all():
            now = time.monotonic()
            if now - looked > 1:
                looked = now
                self._check(now - start > patience, log)
            self.lab.wait(pause(start, _PAUSE))
        taken = time.monotonic() - start
        for _ in range(2):  # a proxy that programs one thing after another is not done yet
            if self.all_served():
                return taken
            while not self.all_served():
                self._check(time.monotonic() - start > patience, log)
                taken = time.monotonic() - start
        return taken

    def rest(self) -> None:
        """Wait until the proxy is idle: what it does after a change must not meet the next one. (In
        IPVS mode a change shows long before all is programmed, and for moments not at all.)
        """
        still = _STILL_EMULATED if self.node.system.emulated else _STILL
        begin, before = time.monotonic(), -1.0
        while (spent := cpu_seconds(self.node)) != before:
            if time.monotonic() - begin > LIMIT:
                raise self.unmeasurable(f"the proxy is not idle {LIMIT:.0f} s after a change")
            before = spent
            time.sleep(still)

    def rules(self) -> str:
        """What is programmed now, as the mode's own tools print it."""
        return self._in_time(partial(self.proxy.rules, _LISTING), "the listing of its rules")

    def _in_time(self, run: Callable[[], Result], what: str) -> Result:
        try:
            return run()
        except subprocess.TimeoutExpired as problem:
            raise self.unmeasurable(f"{what} takes more than {problem.timeout:.0f} s") from None
        except UnsupportedError as problem:
            raise self.unmeasurable(str(problem)) from None

    def all_served(self) -> bool:
        """Whether every Service answers a new connection."""
        self.node.forget_connections()
        sockets = [target.socket for target in self.targets]
        return bool(self.client.connect_to_each(sockets).is_served.all())

    def _check(self, late: bool, log: int) -> None:
        if not self.proxy.running:
            raise self.unmeasurable("the proxy has ended", log)
        if late or failures(self.proxy) >= _FAILURES:
            word = f"after {self.patience:.0f} s" if late else "it fails again and again"
            raise self.unmeasurable(f"the Services are not in force, {word}", log)

    def unmeasurable(self, reason: str, log: int | None = None) -> UnmeasurableError:
        """The error that says so, with what the proxy last complained about, if anything: in the
        last of its log, or since the byte ``log`` of it.
        """
        begin = max(0, self.proxy.log_position() - _LOG) if log is None else log
        said = _complaint(self.proxy.log_since(begin))
        return UnmeasurableError(self.mode, f"{reason}; the proxy's log: {said}")

    def positions(self) -> dict[str, Target]:
        """The first, the middle and the last Service, in the order of the proxy's rules where it
        has rules in an order (those of KUBE-SERVICES in iptables mode), else as they were made.
        """
        by_address = {str(target.address): target for target in self.targets}
        # nft takes minutes to list what has no order anyway
        commands = self.proxy.implementation.modes[self.proxy.mode].rules
        rules = self.rules() if "iptables-save" in {command[0] for command in commands} else ""
        found = re.findall(r"^(?:\[.*\] )?-A KUBE-SERVICES -d ([0-9.]+)/32", rules, re.MULTILINE)
        listed = list(dict.fromkeys(address for address in found if address in by_address))
        order = [by_address[address] for address in listed]
        if len(order) < len(self.targets):
            order = self.targets
        return {"first": order[0], "middle": order[len(order) // 2], "last": order[-1]}

    def close(self) -> None:
        """Remove the node and its cluster."""
        self.stopwatch.close()
        self.node.close()


def failures(proxy: Proxy) -> float:
    """How often the proxy says that it failed to program the kernel, since its start."""
    metrics: Mapping[str, float] = {}
    if proxy.implementation.metrics:
        with contextlib.suppress(OSError):  # it may serve none yet
            metrics = proxy.metrics()
    failed = re.compile(r"failures_total(\{|$)")
    return sum(value for name, value in metrics.items() if failed.search(name))


def _complaint(log: str) -> str:
    """The last line of a log that speaks of an error, without klog's prefix.

    (That nft finds no table, and the kernel no counter, is what kube-proxy says at every start.)
    """
    usual = "No such file or directory", "list existing nftables objects", "nfacct counter"
    lines = [line for line in log.splitlines() if not any(word in line for word in usual)]
    errors = [line for line in lines if re.search(r"(?i)error|fail|too long", line)]
    said = (errors or lines or ["(empty)"])[-1].strip()
    return re.sub(r"^[EWIF]\d{4} [\d:.]+ +\d+ [\w.-]+:\d+\] ", "", said)[:300]


class Sites:
    """One site for each mode, and the floor."""

    def __init__(
        self,
        implementation: Implementation,
        binaries: dict[str, Path],
        folder: Path,
        modes: Sequence[str],
        machines: Machines | None,
        seed: int,
    ) -> None:
        self.modes: dict[str, Site] = {}
        """The site of each mode, in the order asked for."""
        self._taking_part = list(modes)
        self._substrates: list[Substrate] = []
        for number, mode in enumerate(modes):
            place = folder / f"cluster-{number}"
            substrate = Embedded(
                implementation, binaries, place, number, machines=machines, many_services=True
            )
            self._substrates.append(substrate)
            cluster = substrate.cluster(mode)
            self.modes[mode] = Site(mode, cluster, cluster.node(), seed)
        first = self._substrates[0].cluster(modes[0])
        self.floor = Site(None, first, first.node(), seed)
        self._choose = random.Random(seed)
        self.deadline = math.inf
        """When, by the monotonic clock, nothing is to be repeated any more."""
        self.task_deadline = math.inf
        """When nothing of what is measured now is to be."""

    def repeat(self, wanted: Sequence[Turn]) -> Iterator[Turn]:
        """These, as far as there is time: the first ``LEAST`` however late it is."""
        for done, turn in enumerate(wanted):
            if done >= LEAST and time.monotonic() >= min(self.deadline, self.task_deadline):
                return
            yield turn

    def affords(self, seconds: float) -> bool:
        """Whether there is time to repeat what takes so long, and much else after it."""
        return seconds < _SHARE * (self.deadline - time.monotonic())

    def take_part(self, modes: Sequence[str]) -> None:
        """Let only these modes take part from now on."""
        self._taking_part = list(modes)

    def __iter__(self) -> Iterator[Site]:
        return iter([self.modes[mode] for mode in self._taking_part])

    def shuffled(self, *, floor: bool = False) -> list[Site]:
        """All sites in another order each time: none has the same predecessor always."""
        sites = [*self, *([self.floor] if floor else [])]
        self._choose.shuffle(sites)
        return sites

    def grow(self, size: int) -> None:
        """Have so many Services in every cluster, all clusters at once."""
        with ThreadPoolExecutor(len(self.modes), "grow") as pool:
            list(pool.map(lambda site: site.population.grow(size), self.modes.values()))

    def repair(self) -> None:
        """Have all Services as they were made, after a change that was given up."""
        for site in self.modes.values():
            site.population.repair()

    def close(self) -> None:
        """Remove all nodes and clusters."""
        self.floor.close()
        for site in self.modes.values():
            site.close()
        for substrate in self._substrates:
            substrate.close()
