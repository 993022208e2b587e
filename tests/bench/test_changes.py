"""Changes and churn of bench, on an API server and a data plane that are told here."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench.figures import changes, churn
from bench.population import TARGET, Population
from bench.runner import Runner
from bench.sites import LEAST
from bench.sites import Sites as AllSites
from specification.attempts import SocketAddress
from specification.services import SERVICE_NAME

FIRST = IPv4Address("10.96.0.1")


class Kubernetes:
    """Gives each new Service the first cluster IP that is free; all are in force at once."""

    def __init__(self) -> None:
        self.addresses: dict[str, IPv4Address] = {}
        self.endpoints: dict[str, list[str]] = {}
        self.patches = 0

    def together(self, requests: Iterable[Callable[[], Any]]) -> list[Any]:
        return [request() for request in requests]

    def create(self, resource: str, body: Any, _: str) -> Any:
        if resource == "endpointslices":
            return self.patch(resource, body["metadata"]["name"], body)
        free = (FIRST + number for number in itertools.count())
        wanted = body["spec"].get("clusterIP")
        taken = set(self.addresses.values())
        address = IPv4Address(wanted) if wanted else next(a for a in free if a not in taken)
        assert address not in taken
        self.addresses[body["metadata"]["name"]] = address
        return {"spec": {"clusterIP": str(address)}}

    def list_all(self, resource: str, **_: str) -> list[Any]:
        if resource == "services":
            return [{"metadata": {"name": name}} for name in self.addresses]
        return [
            {
                "metadata": {"labels": {SERVICE_NAME: name.removesuffix("-ipv4")}},
                "endpoints": [{"addresses": [each]} for each in has],
            }
            for name, has in self.endpoints.items()
        ]

    def delete_now(self, _: str, name: str, *__: str) -> None:
        self.addresses.pop(name, None)

    def patch(self, _: str, name: str, body: Any, *__: str) -> None:
        self.patches += 1
        self.endpoints[name] = [each["addresses"][0] for each in body["endpoints"]]

    def connect_many(self, address: IPv4Address, *_: int) -> Any:
        (name,) = (name for name, has in self.addresses.items() if has == address)
        found = self.endpoints[f"{name}-ipv4"]
        return SimpleNamespace(
            counts={SocketAddress(IPv4Address(each), TARGET): 1 for each in found}
        )

    def connect_to_each(self, sockets: Sequence[SocketAddress]) -> Any:
        served = set(self.addresses.values())
        found = np.array([s.address in served for s in sockets])
        return SimpleNamespace(is_answered=found, is_served=found)


class Site:
    """One mode's."""

    mode = "nftables"
    proxy = None
    unmeasurable = staticmethod(ValueError)
    rest = staticmethod(lambda: None)
    node = SimpleNamespace(forget_connections=lambda: None)
    lab = SimpleNamespace(wait=lambda _: None)

    def __init__(self, kubernetes: Any) -> None:
        self.cluster = SimpleNamespace(api=kubernetes)
        self.batch = Population(kubernetes, "batch")
        self.population = Population(kubernetes)
        self.targets = self.population.targets
        self.client = kubernetes


class Sites(list[Site]):
    """All sites, in turn; there is time for ``most`` repetitions."""

    most = 1000

    def repeat(self, wanted: Sequence[Any]) -> Sequence[Any]:
        return wanted[: self.most]

    def shuffled(self) -> list[Site]:
        return list(self)


def test_a_batch_gives_its_addresses_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Services that are made between two measurements may have the addresses of the first batch."""
    word = SimpleNamespace(means=dict)
    monkeypatch.setattr(changes, "OwnWord", lambda _: word)
    monkeypatch.setattr(changes, "cpu_seconds", lambda _: 0.0)
    monkeypatch.setattr(changes, "LIMIT", 0.1)
    kubernetes = Kubernetes()
    api: Any = kubernetes
    sites: Any = Sites([Site(kubernetes)])
    few, many = Population(api, "few"), Population(api, "many")
    few.grow(1)
    changes.measure_batches(sites, 2)
    assert len(kubernetes.addresses) == 1
    many.grow(changes.BATCH)
    (figure, _) = changes.measure_batches(sites, 2)
    assert len(figure.samples) == 2
    assert len(kubernetes.addresses) == 1 + changes.BATCH


def test_churn_leaves_every_endpoint_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is measured later changes endpoints of the same Services."""
    monkeypatch.setattr(churn, "RATES", (200,))
    monkeypatch.setattr(churn, "_SETTLING", 0.05)
    kubernetes = Kubernetes()
    there = Site(kubernetes)
    there.population.grow(20)
    before, made = dict(kubernetes.endpoints), kubernetes.patches
    site: Any = there
    _, _, counted = churn._sustained(site, seed=1)
    assert kubernetes.endpoints == before
    assert counted == kubernetes.patches - made > 30


def test_what_a_change_that_was_given_up_has_left_is_mended() -> None:
    kubernetes = Kubernetes()
    population = Site(kubernetes).population
    population.grow(5)
    before = dict(kubernetes.addresses), dict(kubernetes.endpoints)
    kubernetes.delete_now("services", "bench-2")
    target = population.targets[4]
    population.write(target, target.endpoints(3))
    patches = kubernetes.patches
    population.repair()
    assert (kubernetes.addresses, kubernetes.endpoints) == before
    assert kubernetes.patches == patches + 1, "what is right is left alone"


def test_where_time_is_short_every_task_gets_its_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    runner: Any = object.__new__(Runner)
    runner._sites = SimpleNamespace(deadline=1100.0, modes=("a", "b"))
    runner._began, runner._size = 800.0, 100
    runner._spent, runner._total = 100.0, 200.0  # twice as slow as estimated
    task: Any = SimpleNamespace(seconds=5.0, services=100)
    assert runner._share(task) == 1000.0 + 100.0 * (2 * 5.0) / 100.0
    runner._sites.deadline = 1200.0
    assert runner._share(task) == math.inf


def test_what_is_in_force_before_it_is_written_cannot_be_measured() -> None:
    kubernetes = Kubernetes()
    there = Site(kubernetes)
    there.population.grow(1)
    site: Any = there
    added = changes.endpoint_turns(0)[0].change(site)
    added.write()
    with pytest.raises(ValueError, match="in force before it is written"):
        changes.timed(site, added)


def test_what_comes_last_is_repeated_less_often_rather_than_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    word = SimpleNamespace(means=dict)
    monkeypatch.setattr(changes, "OwnWord", lambda _: word)
    monkeypatch.setattr(changes, "cpu_seconds", lambda _: 0.0)
    there = Site(Kubernetes())
    there.population.grow(3)
    sites: Any = Sites([there])
    sites.most = 2
    wanted = [0, 1, 2, 1]
    added, removed, cost = changes.measure_turns(
        sites, changes.endpoint_turns, "endpoint-change", wanted, lambda: 0.0
    )
    assert len(added.samples) == len(removed.samples) == 2
    assert added.note == "repeated 2 times instead of 4: the time was up"
    assert cost.note == "of 4"


def test_some_repetitions_are_made_however_late_it_is() -> None:
    late: Any = SimpleNamespace(deadline=0.0, task_deadline=math.inf)
    assert list(AllSites.repeat(late, range(20))) == list(range(LEAST))
    assert not AllSites.affords(late, 0.1)
    late.deadline, late.task_deadline = math.inf, 0.0
    assert list(AllSites.repeat(late, range(20))) == list(range(LEAST))
    late.task_deadline = math.inf
    assert list(AllSites.repeat(late, range(1001))) == list(range(1001))
    assert AllSites.affords(late, 1e9)
