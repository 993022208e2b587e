"""What is known of every requirement without running it: what it says, where that comes from, and
which Services it is about. `python -m foretell.requirements` writes it anew.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from foretell.traits import Trait

FILE: Final = Path(__file__).with_name("requirements.json")


class Source(msgspec.Struct, frozen=True):
    """Where a requirement comes from."""

    text: str
    url: str


class Services(msgspec.Struct, frozen=True, omit_defaults=True):
    """Services that some cases of a requirement's test are about: they have all of these."""

    traits: tuple[Trait, ...]
    cases: tuple[str, ...]


class Known(msgspec.Struct, omit_defaults=True):
    """One requirement."""

    statement: str
    level: str
    feature: str = ""
    sources: tuple[Source, ...] = ()
    kind: str = ""
    """Of the decisions that it looks at, where it is one of a census: see conformance.census."""
    services: list[Services] = []

    def add(self, case: str, about: set[frozenset[Trait]]) -> None:
        """Note what a case is about."""
        self._note((tuple(sorted(one)), (case,)) for one in about)

    def join(self, other: Known) -> None:
        """Note what somebody else has noted of the same requirement."""
        self._note((each.traits, each.cases) for each in other.services)

    def _note(self, about: Iterable[tuple[tuple[Trait, ...], tuple[str, ...]]]) -> None:
        known = {each.traits: set(each.cases) for each in self.services}
        for one, cases in about:
            known.setdefault(one, set()).update(cases)
        self.services = [Services(key, tuple(sorted(known[key]))) for key in sorted(known)]


@functools.cache
def known() -> dict[str, Known]:
    """All requirements by their ids."""
    return read(FILE)


def read(file: Path) -> dict[str, Known]:
    """What stands in a file."""
    return msgspec.json.decode(file.read_bytes(), type=dict[str, Known])


def write(found: dict[str, Known], file: Path) -> None:
    """Write what was found, a requirement a line."""
    lines = (
        f"{msgspec.json.encode(name).decode()}: {msgspec.json.encode(each).decode()}"
        for name, each in found.items()
    )
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
