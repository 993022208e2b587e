"""A plugin for a run on nodes in memory that runs the requirements once with each bend of the
specification, until one notices: those first that the bent clause names.

What notices is a test that fails: the proxy follows the bent rules, but for the canary, whose
Services are served straight, and so does nothing that judges.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from clusters.simulated import proxy
from conformance.census import census, space
from conformance.census.sequences import carried, looking
from fixtures.lab import fence, lab
from fixtures.plugin import arrangement, options, requirement
from fixtures.services import canary
from specification.attempts import Attempt
from specification.places import Place
from specification.rules.allowed import Allowed
from specification.rules.allowed import allowed as bent_allowed
from specification.rules.case import CLAUSES
from specification.rules.state import State
from tests.conftest import ROOT
from tests.simulated import straight
from tests.specification.bending import Bend, clauses

FOUND = "KUBE_PROXY_CONFORMANCE_NOTICED"
"""The environment variable that names the file for what is found."""

WANTED = "KUBE_PROXY_CONFORMANCE_BENDS"
"""The one that names a file of bends; without it all are taken."""


SLOW = (
    "/distribution/",
    "/sync/",
    "/lifecycle/",
    "/integrity/",
    "test_timeout",
    "/kube_proxy/",
    "/health_check/",
)
"""Tests that are run for what names them alone."""


@dataclass
class Noticed:
    """What became of one bend."""

    bend: str
    by: str = ""
    """The requirement that notices; none does where it is empty."""
    named: bool = False
    """Whether the clause names it."""
    seconds: float = 0.0


def clause_of(bend: Bend) -> str:
    """The clause that is bent."""
    return bend.name.partition(",")[0]


def bends() -> list[Bend]:
    """Each clause that a requirement asks for, never, always and the other way round."""
    text = (ROOT / "CONFORMANCE.md").read_text()
    listed = set(re.findall(r"^\| `([\w.-]+)`", text, re.MULTILINE))
    asked = {name for name, each in CLAUSES.items() if listed.intersection(each.requirements)}
    return [each for each in clauses() if clause_of(each) in asked]


class Noticing:
    """Runs the requirements with one bend after another."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of each test once."""
        session.config.stash[arrangement.STAGES] = {}
        wanted = os.environ.get(WANTED)
        names = set(json.loads(Path(wanted).read_text())) if wanted else None
        chosen = [each for each in bends() if names is None or each.name in names]
        items = _by_requirement(session.items)
        with Path(os.environ[FOUND]).open("w") as file:
            for bend in chosen:
                file.write(json.dumps(asdict(self._noticed(bend, items))) + "\n")
                file.flush()
        return True

    def _noticed(self, bend: Bend, items: Mapping[str, Sequence[pytest.Item]]) -> Noticed:
        began, named = time.monotonic(), CLAUSES[clause_of(bend)].requirements
        order = _order(items, named, bend.name)
        with bend.in_force():
            pairs = itertools.zip_longest(order, order[1:])
            by = next((each for each, following in pairs if self._fails(each, following)), None)
            if by:
                by.session._setupstate.teardown_exact(None)  # the next bend has another node
        found = _id(by) if by else ""
        return Noticed(bend.name, found, found in named, time.monotonic() - began)

    def _fails(self, item: pytest.Item, following: pytest.Item | None) -> bool:
        """Whether a test says that the proxy is wrong; not that nothing could be judged."""
        item._initrequest()  # type: ignore[attr-defined]  # or a test could be run but once
        item.user_properties.clear()
        reports = runtestprotocol(item, log=False, nextitem=following)
        judged = ("could_not_judge", True) not in item.user_properties
        return judged and any(each.failed and each.when == "call" for each in reports)


def _order(
    items: Mapping[str, Sequence[pytest.Item]], named: Iterable[str], seed: str
) -> list[pytest.Item]:
    """All cases of the requirements that are named, then one of each other that takes no time, and
    what looks at the census last of all.
    """
    draw = random.Random(seed)
    first = [each for name in named for each in items.get(name, ())]
    rest = [draw.choice(cases) for name, cases in items.items() if name not in named]
    quick = [each for each in rest if not any(slow in each.nodeid for slow in SLOW)]
    return [*sorted(first, key=_dear), *sorted(quick, key=_dear)]


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
    """Have the census be taken in a quarter of a second: of 64 Services, in IPv4, by datagrams."""
    services = space.services
    _put(space, services=lambda listed, _, seed: services(listed, 1, seed), PROTOCOLS=("UDP",))
    _put(census, FAMILIES=("IPv4",), TRIES=2, MORE=20)


def _put(module: ModuleType, **values: object) -> None:
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
    _put(census, allowed=judge, frontends=rules["frontends"].frontends)
    _put(looking, allowed=judge, claims=claims)
    _put(carried, claims=claims, goes_on=rules["flows"].goes_on)
    _put(carried, candidates=rules["endpoints"].candidates)
    _put(canary, TIMEOUT=2.0)  # seconds: whatever takes so long comes no more
    _put(lab, _FENCE_TIMEOUT=2.0)
    _make_small()
    config.pluginmanager.register(Noticing(), "noticing")
