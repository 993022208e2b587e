"""Settled: what the canary waits for, before proxies that follow the API in all manner of steps."""

from __future__ import annotations

import itertools
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from clusters.simulated.api import MemoryApi
from clusters.simulated.kernel import Decision, Drop, Pass
from clusters.simulated.node import SimulatedNode
from fixtures.lab.hosts import Hosts
from fixtures.lab.lab import Lab
from fixtures.services import canary as settling
from fixtures.services.canary import Canary
from specification.addresses import FAMILIES, Family
from specification.errors import EndedError, SettleError
from tests.engine.tools import specified

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from clusters.contract import Node
    from specification.attempts import Attempt
    from specification.places import Place

BODY: dict[str, Any] = {
    "metadata": {"name": "web"},
    "spec": {"ports": [{"name": "web", "port": 80, "protocol": "TCP"}]},
}


class Around:
    """A node in memory, its proxy, and what is around it; ``step`` is what the proxy does each time
    that somebody waits.
    """

    def __init__(self, *, stepwise: bool = False, emulated: bool = False) -> None:
        self.api = MemoryApi()
        self.proxy = specified(self.api)
        self.node = SimulatedNode(self.proxy)
        self.node.waiting = lambda _seconds: self.step()
        self.lab = Lab(cast("Node", self.node))
        self.step: Callable[[], object] = self._sync
        self.described = SimpleNamespace(settles=True)
        self.program = SimpleNamespace(
            running=True,
            ended="",
            implementation=self.described,
            stepwise=stepwise,
            log_position=lambda: 9000,
            log_since="from {}".format,
        )
        system = SimpleNamespace(emulated=emulated, check=lambda: None)
        seen = SimpleNamespace(name=self.node.name, system=system, proxy=self.program)
        self.canary = Canary(self.api, cast("Node", seen), self.lab, Hosts())

    def _sync(self) -> None:
        for resource in ("services", "endpointslices"):
            self.proxy.take(resource)

    def is_in_force(self, family: Family | None = None) -> bool:
        """Whether the proxy knows all that is written, of one family at least."""
        wanted = self.api.objects
        if family is not None:
            wanted = {path: each for path, each in wanted.items() if family.lower() in path}
        return all(self.proxy.known.get(path) == each for path, each in wanted.items())

    def write_others(self, count: int) -> None:
        """Services of somebody else, written before the canary's change."""
        for number in range(count):
            metadata = {"name": f"other-{number}"}
            self.api.create("services", {"metadata": metadata, "spec": {"ports": []}})
            slice_body = {"addressType": "IPv4", "ports": [], "endpoints": []}
            self.api.create("endpointslices", {"metadata": metadata, **slice_body})

    @property
    def changes(self) -> int:
        """How often the canary's Services were changed."""
        return sum(method == "PATCH" and "/services/" in at for method, at, _ in self.api.requests)


@pytest.fixture
def around() -> Around:
    """A proxy that syncs all at once."""
    return Around()


@pytest.mark.parametrize("late", ["services", "endpointslices"])
@pytest.mark.parametrize("pace", [1, 3])
def test_settled_is_what_was_written_before(around: Around, late: str, pace: int) -> None:
    """However slowly the proxy takes over the events of one kind, all of them are in force then."""

    def step() -> None:
        for resource in ("services", "endpointslices"):
            around.proxy.take(resource, pace if resource == late else None)

    around.step = step
    around.canary.settle()
    assert around.is_in_force()
    around.write_others(10)
    around.canary.settle()
    assert around.is_in_force()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_waited_for_alone(around: Around, family: Family) -> None:
    """And both where nothing is said: one of them is not enough."""
    around.canary.settle()
    events = around.api.events

    def step() -> None:
        around.api.events = [each for each in events if family.lower() in each[0]]
        for path, state in around.api.events:
            around.proxy.learn(path, state)

    around.step = step
    around.canary.settle(families=[family])
    assert around.is_in_force(family)


def test_who_never_settles_is_not_waited_for(around: Around) -> None:
    around.described.settles = False
    around.step = pytest.fail
    before = around.changes
    assert around.canary.settle(syncs=2) == 0
    assert around.changes == before


def test_a_family_that_does_not_follow_is_not_settled(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    around.canary.settle()
    waits = itertools.count()
    monkeypatch.setattr(settling, "time", SimpleNamespace(monotonic=lambda: next(waits)))

    def step() -> None:
        for path, state in around.api.events:
            if "ipv6" in path and state:
                around.proxy.learn(path, state)

    around.step = step
    with pytest.raises(SettleError, match="not shown a change in IPv4 after 60 s") as caught:
        around.canary.settle()
    assert "from 6000" in str(caught.value)  # the end of the proxy's log


def test_patience_is_that_of_the_processor() -> None:
    assert Around().canary._timeout == settling.TIMEOUT == 60
    assert Around(emulated=True).canary._timeout == settling.EMULATED_TIMEOUT == 240


def test_a_proxy_that_has_ended_is_not_waited_for(around: Around) -> None:
    def step() -> None:
        around.program.ended = "has ended with exit code 2; the end of its log:\npanic"

    around.step = step
    with pytest.raises(EndedError, match="code 2; the end of its log:\npanic"):
        around.canary.settle()


def test_a_proxy_that_does_not_run_is_not_waited_for(around: Around) -> None:
    def step() -> None:
        around.program.running = False

    around.step = step
    with pytest.raises(SettleError, match="does not run; the end of its log:\nfrom 6000"):
        around.canary.settle()


def test_a_second_sync_is_begun_after_the_first(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two syncs asked for, what is written last is written after the first was seen."""
    around.canary.settle()
    known: list[bool] = []
    together = around.api.together

    def noting(requests: Any) -> list[Any]:
        known.append(around.is_in_force())
        return together(requests)

    monkeypatch.setattr(around.api, "together", noting)
    around.write_others(1)
    around.canary.settle(syncs=2)
    assert known == [False, True]
    assert around.is_in_force()


@pytest.mark.parametrize(("late", "syncs"), [(False, 1), (True, 2)])
def test_what_strikes_late_is_waited_for(around: Around, late: bool, syncs: int) -> None:
    """Where what follows on the rules strikes flows, a second sync is seen, asked for or not."""
    around.canary.settle()
    around.canary.struck_late = late
    before = around.canary._slices["IPv4"]
    around.canary.settle(families=["IPv4"])
    assert around.canary._slices["IPv4"] == before + syncs


def test_somebody_may_look_between_looks(around: Around) -> None:
    seen: list[bool] = []
    around.canary.meanwhile = lambda: seen.append(around.is_in_force())
    around.canary.settle()
    assert seen == [False, True]


def test_it_leaves_nothing_and_disturbs_nobody(around: Around) -> None:
    around.api.create("services", BODY)
    names = [body["metadata"]["name"] for body in around.api.of("services")]
    assert sorted(names) == ["canary-simulated-ipv4", "canary-simulated-ipv6", "web"]
    around.canary.settle()
    around.canary.close()
    assert [body["metadata"]["name"] for body in around.api.of("services")] == ["web"]
    assert around.api.of("endpointslices") == []


def test_every_change_is_told_from_the_one_before(around: Around) -> None:
    """By ports that are valid, again and again."""
    last = (0, 0)
    for turn in (0, 1, 2, 27_998, 27_999, 28_000, 39_000, 56_001):
        for family in FAMILIES:
            around.canary._services[family] = around.canary._slices[family] = turn
        around.canary.settle()
        (service, *_), (slices, *_) = around.api.of("services"), around.api.of("endpointslices")
        ports = service["spec"]["ports"][0]["port"], slices["ports"][0]["port"]
        assert ports != last
        assert 1024 <= ports[0] < 30_000 < ports[1] < 65_536
        last = ports


# --- a proxy that changes one thing after another -------------------------------------------------


class Steps:
    """A proxy that holds external IPs on the node, and gives them up in a step of its own: the last
    of each sync, but for syncs whose number is ``early``.
    """

    def __init__(self, around: Around, early: Collection[int] = ()) -> None:
        self._around, self._early = around, early
        self._syncs = 0
        self._steps: list[Callable[[], object]] = []
        self._held: set[str] = set()
        around.step, around.node.rule = self.step, self

    def __call__(self, attempt: Attempt, place: Place) -> Decision:
        """What is for an address of the node's, and not served, does not pass."""
        decision = self._around.proxy(attempt, place)
        held = str(attempt.target.address) in self._held
        return Drop() if held and decision == Pass() else decision

    def step(self) -> None:
        """Do the next thing, each time that somebody waits."""
        proxy = self._around.proxy
        if not self._steps and not self._around.is_in_force():
            kinds = "services", "endpointslices"
            services, slices = (partial(proxy.take, each) for each in kinds)
            late: list[Callable[[], object]] = [services, slices, self._give_up]
            early: list[Callable[[], object]] = [services, self._give_up, slices]
            self._steps = [self._hold, *(early if self._syncs in self._early else late)]
            self._syncs += 1
        if self._steps:
            self._steps.pop(0)()

    def _hold(self) -> None:
        self._held |= set(external_ips(self._around).values())

    def _give_up(self) -> None:
        specs = [each["spec"] for each in self._around.proxy.known.values() if "spec" in each]
        self._held = {address for spec in specs for address in spec.get("externalIPs", ())}

    def holds(self, address: str) -> bool:
        """Whether the address is on the node."""
        return address in self._held


def external_ips(around: Around) -> dict[Family, str]:
    specs = [body["spec"] for body in around.api.of("services")]
    return {spec["ipFamilies"][0]: spec["externalIPs"][0] for spec in specs}


def test_a_stepwise_proxy_is_done_when_it_has_given_up_an_address() -> None:
    around = Around(stepwise=True)
    steps = Steps(around)
    around.canary.settle(removed=False, started=True)
    for _ in range(3):
        had, changes = external_ips(around), around.changes
        around.canary.settle(removed=False)
        assert around.changes == changes + 2  # one of each family
        written = [at.split("/")[-2] for method, at, _ in around.api.requests if method == "PATCH"]
        assert written[-4:] == ["endpointslices"] * 2 + ["services"] * 2
        assert around.is_in_force()
        for family in FAMILIES:
            assert external_ips(around)[family] != had[family]
            assert not steps.holds(had[family])
            assert steps.holds(external_ips(around)[family])


@pytest.mark.parametrize("before", [(), ("IPv6",), ("IPv6", "IPv6"), ("IPv4", "IPv6")])
def test_the_address_given_up_is_the_one_that_the_family_had(before: tuple[Family, ...]) -> None:
    """However often the other family has settled alone since: one change is enough."""
    around = Around(stepwise=True)
    steps = Steps(around)
    around.canary.settle(removed=False, started=True)
    for family in before:
        around.canary.settle(families=[family], removed=False)
    had, changes = external_ips(around), around.changes
    around.canary.settle(families=["IPv4"], removed=False)
    assert external_ips(around) == {**had, "IPv4": external_ips(around)["IPv4"]}
    assert not steps.holds(had["IPv4"])
    assert around.changes == changes + 1


def test_an_address_given_up_too_early_says_nothing() -> None:
    """What was written may then be left to another sync: the canary is changed once more."""
    around = Around(stepwise=True)
    Steps(around, early=[2])  # after its start, and the change that it begins with
    around.canary.settle(removed=False, started=True)
    changes = around.changes
    around.canary.settle(families=["IPv4"], removed=False)
    assert around.changes == changes + 2
    assert around.is_in_force()


def test_what_is_removed_takes_another_round() -> None:
    """A stepwise proxy removes frontends after it has given up addresses."""
    around = Around(stepwise=True)
    Steps(around)
    around.canary.settle(removed=False, started=True)
    changes = around.changes
    around.canary.settle(families=["IPv6"])
    assert around.changes == changes + 2


def test_a_stepwise_proxy_that_has_just_started_shows_the_canary_first() -> None:
    around = Around(stepwise=True)
    Steps(around)
    looks: list[int] = []
    around.canary.meanwhile = lambda: looks.append(around.changes)
    around.canary.settle(removed=False, started=True)
    assert looks[0] == 0
    assert looks[-1] == around.changes == 2
