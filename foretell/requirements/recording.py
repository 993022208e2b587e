"""A pytest plugin that notes which Services the test of each requirement makes, and which kind of
decisions it looks at: by that a requirement is known to be about a Service, or not to be.

The environment holds REQUIREMENTS: the file to write.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from fixtures.plugin import requirement
from fixtures.plugin.session import mode_and_case
from fixtures.services.services import Service, Services
from foretell import traits
from foretell.requirements import Known, Source, read, write
from foretell.traits import Trait
from specification.addresses import Family
from specification.services import ServiceSpec

_HELD: Final = re.compile(r"\bhold\(\w+\.(\w+)\)")
_EXTERNAL: Final[frozenset[Trait]] = frozenset(("external-ip", "load-balancer-ip", "node-port"))
_NAMED: Final[dict[Trait, re.Pattern[str]]] = {
    "TCP": re.compile(r"\bTCP\b"),
    "UDP": re.compile(r"\bUDP\b|[Dd]atagram"),
    "SCTP": re.compile(r"\bSCTP\b"),
}
"""How a requirement says that it is about a protocol."""
_FAMILIES: Final[frozenset[Trait]] = frozenset(("IPv4", "IPv6"))


class _Recorder:
    def __init__(self) -> None:
        self.found: dict[str, Known] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note all requirements."""
        for item in session.items:
            if (entry := requirement.of(item)) and entry.id not in self.found:
                held = _HELD.search(inspect.getsource(item.obj))  # type: ignore[attr-defined]
                self.found[entry.id] = Known(
                    entry.statement,
                    entry.level,
                    entry.feature or "",
                    tuple(Source(each.text, each.url) for each in entry.references),
                    held[1] if held else "",
                )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Note the Services that a test has arranged, and those that it makes."""
        made = list[ServiceSpec]()
        services = getattr(item, "funcargs", {}).get("service")
        given = requirement.parameters(item)
        families: tuple[Family, ...] = given.get("families", (given.get("family", "IPv4"),))
        if services:
            made += (replace(each.spec, families=families) for each in services.arranged)
        make = Services.make

        def noting(me: Services, specs: Iterable[ServiceSpec], **options: Any) -> list[Service]:
            wanted = list(specs)
            made.extend(wanted)
            return make(me, wanted, **options)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Services, "make", noting)
            result = yield
        if entry := requirement.of(item):
            asked = _protocols(entry.statement, given) | set(families)
            if "cluster IP" not in entry.statement:
                asked.add("exposed")
            self.found[entry.id].add(mode_and_case(item)[1], _about(made, asked))
        return result

    def pytest_sessionfinish(self) -> None:
        """Write all of it; what workers have found is put together. Of what was not run, what was
        known before is known still.
        """
        file = Path(os.environ["REQUIREMENTS"])
        if worker := os.environ.get("PYTEST_XDIST_WORKER"):
            write(self.found, file.with_suffix(f".{worker}"))
            return
        for each in sorted(file.parent.glob(f"{file.stem}.gw*")):
            for name, noted in read(each).items():
                self.found.setdefault(name, noted).join(noted)
            each.unlink()
        before = read(file) if file.exists() else {}
        for name, noted in before.items():
            if name not in self.found or not self.found[name].services:
                self.found.setdefault(name, noted).join(noted)
        write(self.found, file)


def pytest_configure(config: pytest.Config) -> None:
    """Record."""
    config.pluginmanager.register(_Recorder())


def _protocols(statement: str, given: Mapping[str, Any]) -> set[Trait]:
    """The protocols that a requirement is about, of those that its test uses: all, where it speaks
    of none.
    """
    named: set[Trait] = {name for name, words in _NAMED.items() if words.search(statement)}
    used = given.get("protocols", (given["protocol"],) if "protocol" in given else named)
    return named.intersection(used) or named


def _about(made: Iterable[ServiceSpec], asked: set[Trait]) -> set[frozenset[Trait]]:
    """What Services have that a test is about, of those that it makes: those that have most, of
    families and protocols what is ``asked``.
    """
    found = {one for each in made for one in _each(traits.of(each), asked)}
    return {one for one in found if not any(one < other for other in found)}


def _each(has: frozenset[Trait], asked: set[Trait]) -> Iterator[frozenset[Trait]]:
    """What a Service has, with one protocol and one family at a time: a test that tries several
    asks for none of them. So it is with external frontends, where it has several: any will do, or
    none, where the requirement is about the cluster IP besides.
    """
    external = has & _EXTERNAL
    if "load-balancer-ip" in external:
        external -= {"node-port"}  # which its type has, too
    rest = set(has - _EXTERNAL - _NAMED.keys() - _FAMILIES)
    if len(external) == 1:
        rest |= external
    elif "exposed" not in asked:
        rest.discard("exposed")
    protocols = asked & _NAMED.keys()
    for protocol in has & protocols if protocols else [None]:
        for family in has & _FAMILIES & asked:
            yield frozenset(rest | {family} | ({protocol} if protocol else set()))
