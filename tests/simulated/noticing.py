"""A plugin for a run on nodes in memory that runs, with each bend of the specification in force,
the requirements that the bent clause names, until one notices.

What notices is a test that fails: the proxy follows the bent rules, but for the canary, whose
Services are served straight, and so does nothing that judges.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from clusters.simulated import proxy
from conformance.census import census, decision, space
from conformance.census.combinations import shapes
from conformance.census.combinations.axes import Row
from conformance.census.combinations.imagined import enough
from conformance.census.combinations.shapes import Cast
from conformance.census.sequences import carried, looking
from fixtures.lab import fence, lab
from fixtures.plugin import arrangement, options, requirement
from fixtures.record.recorder import GIVEN_UP
from fixtures.services import canary
from specification.attempts import Attempt
from specification.features import FEATURES
from specification.places import Place
from specification.rules.allowed import Allowed
from specification.rules.allowed import allowed as bent_allowed
from specification.rules.case import CLAUSES
from specification.rules.state import State
from specification.services import Endpoint, ServiceSpec
from tests.simulated import characters, straight
from tests.specification.bending import Bend, clauses, functions

FOUND = "KUBE_PROXY_CONFORMANCE_NOTICED"
"""The environment variable that names the file for what is found."""

WANTED = "KUBE_PROXY_CONFORMANCE_BENDS"
"""The one that names a file of bends, by their names."""


@dataclass
class Noticed:
    """What became of one bend."""

    bend: str
    by: str = ""
    """The requirement that notices; none does where it is empty."""
    character: str = ""
    """Of the proxy in which it does."""
    seconds: float = 0.0


def clause_of(bend: str) -> str:
    """The clause that is bent, by the bend's name; empty where it is none."""
    whole, inside = bend.partition(",")[0], bend.partition(":")[0].rpartition(".")[2]
    return next((name for name in (whole, inside) if name in CLAUSES), "")


def bends() -> list[Bend]:
    """Each clause never, always and the other way round, and with one thing in it changed."""
    return [each for each in (*clauses(), *functions()) if clause_of(each.name)]


class Noticing:
    """Runs the requirements with one bend after another."""

    def __init__(self) -> None:
        self._passed: dict[tuple[str, str], bool] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of each test once."""
        session.config.stash[arrangement.STAGES] = {}
        wanted = set(json.loads(Path(os.environ[WANTED]).read_text()))
        items = _by_requirement(session.items)
        with Path(os.environ[FOUND]).open("w") as file:
            for bend in bends():
                if bend.name in wanted:
                    session.config.stash[GIVEN_UP].clear()
                    file.write(json.dumps(asdict(self._noticed(bend, items))) + "\n")
                    file.flush()
        return True

    def _noticed(self, bend: Bend, items: Mapping[str, Sequence[pytest.Item]]) -> Noticed:
        began, order = time.monotonic(), _order(items, CLAUSES[clause_of(bend.name)].requirements)
        for name, character in characters.ALL.items():
            with character():
                with bend.in_force():
                    by = self._first_to_fail(order)
                if by and self._passes(by, name):
                    return Noticed(bend.name, _id(by), name, time.monotonic() - began)
        return Noticed(bend.name, seconds=time.monotonic() - began)

    def _passes(self, item: pytest.Item, character: str) -> bool:
        """Whether a test passes where nothing is bent: what it says of a bend counts then alone."""
        key = item.nodeid, character
        if key not in self._passed:
            self._passed[key] = self._first_to_fail([item]) is None
        return self._passed[key]

    def _first_to_fail(self, order: Sequence[pytest.Item]) -> pytest.Item | None:
        """The first test that fails; what is run next has another node."""
        for item, following in itertools.zip_longest(order, order[1:]):
            if self._fails(item, following):
                item.session._setupstate.teardown_exact(None)
                return item
        return None

    def _fails(self, item: pytest.Item, following: pytest.Item | None) -> bool:
        """Whether a test says that the proxy is wrong; not that nothing could be judged."""
        item._initrequest()  # type: ignore[attr-defined]  # or a test could be run but once
        item.user_properties.clear()
        reports = runtestprotocol(item, log=False, nextitem=following)
        judged = ("could_not_judge", True) not in item.user_properties
        return judged and any(each.failed and each.when == "call" for each in reports)


def _order(items: Mapping[str, Sequence[pytest.Item]], named: Iterable[str]) -> list[pytest.Item]:
    """All cases of the requirements that are named; those that wait, and the censuses, at last."""
    return sorted((each for name in named for each in items.get(name, ())), key=_dear)


def _dear(item: pytest.Item) -> int:
    return ("test_timeout" in item.nodeid) + 2 * ("/census/" in item.nodeid)


def _id(item: pytest.Item) -> str:
    found = requirement.of(item)
    return found.id if found else item.nodeid


def _by_requirement(items: Sequence[pytest.Item]) -> dict[str, list[pytest.Item]]:
    found: dict[str, list[pytest.Item]] = {}
    for item in items:
        found.setdefault(_id(item), []).append(item)
    return found


def _make_small() -> None:
    """Have the census of policies be taken of 64 Services of IPv4, and the wide one of 32 and of as
    few more as show something of every kind.
    """
    policies, wide = space.services, shapes.services

    def of_ipv4(listed: Sequence[Endpoint], _: int, seed: int) -> list[ServiceSpec]:
        return [replace(each, families=("IPv4",)) for each in policies(listed, 1, seed)]

    def few(rows: Sequence[Row], cast: Cast) -> list[ServiceSpec]:
        known = cast.node, frozenset(FEATURES), random.Random(1)
        services = wide(rows, cast)
        return services[:32] + enough(services[32:], *known)[0]

    _put(space, services=of_ipv4, PROTOCOLS=("UDP",))
    _put(shapes, services=few)
    for each in (census, decision):
        _put(each, TRIES=2)


def _put(module: ModuleType, **values: object) -> None:
    assert values.keys() <= vars(module).keys()
    vars(module).update(values)


def pytest_configure(config: pytest.Config) -> None:
    """Have the canary and the census stay straight."""
    if not options.is_run(config):  # what is to be run is collected by itself before
        return
    rules = straight.rules()
    judge: Any = rules["allowed"].allowed
    claims = rules["frontends"].claims

    def allowed(state: State, attempt: Attempt, place: Place) -> Allowed:
        claimed = claims(state).get((attempt.protocol, attempt.target))
        canarys = claimed and claimed[0].service.name.startswith("canary-")
        own = canarys or attempt.client.address in fence._HOSTS
        right: Allowed = (judge if own else bent_allowed)(state, attempt, place)
        return right

    _put(proxy, allowed=allowed)
    _put(census, allowed=judge)
    _put(looking, allowed=judge, claims=claims)
    _put(carried, claims=claims, goes_on=rules["flows"].goes_on)
    _put(carried, candidates=rules["endpoints"].candidates)
    _put(canary, TIMEOUT=2.0)  # seconds: whatever takes so long comes no more
    _put(lab, _FENCE_TIMEOUT=2.0)
    _make_small()
    config.pluginmanager.register(Noticing(), "noticing")
