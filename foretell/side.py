"""One of the two that are held against each other: a mode of a release of a proxy, as it is set
up.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from clusters.build import artifacts
from clusters.implementation import Implementation, load
from clusters.implementations import expectations
from clusters.implementations.expectations import Expectation
from foretell import configuration
from foretell.configuration import Given
from specification.addresses import IPAddress
from specification.errors import ManifestError, UsageError
from specification.rules.state import Configuration

_WORDS = re.compile(r"(?:(?P<which>.+):)?(?P<mode>[\w-]+)(?:@v?(?P<version>\d+(?:\.\d+)+))?")


class Named(NamedTuple):
    """What a side is called."""

    implementation: Implementation
    mode: str
    version: str


@dataclass(frozen=True, eq=False)
class Side:
    """See above. Compared by identity."""

    implementation: Implementation
    mode: str
    version: str
    """Empty where none is named, and the implementation is not the suite's own kube-proxy."""
    said: frozenset[str]
    """The names of the fields that its configuration gives; empty where there is none."""
    configuration: Configuration

    @functools.cached_property
    def features(self) -> frozenset[str]:
        """What it claims."""
        return self.implementation.claimed(self.mode)

    @functools.cached_property
    def failures(self) -> tuple[Expectation, ...]:
        """What it is known to get wrong."""
        listed = expectations.of(self.implementation, self.version or None)
        return tuple(each for each in listed if not each.modes or self.mode in each.modes)

    @property
    def who(self) -> tuple[str, str, str]:
        """Which program it is, in which mode."""
        return self.implementation.name, self.version, self.mode

    def __str__(self) -> str:
        name = f"{self.implementation.name} {self.version}".strip()
        return f"{self.mode} mode of {name}"


def named(words: str) -> Named:
    """What ``[IMPLEMENTATION:]MODE[@VERSION]`` names.

    Raises:
        UsageError: it names nothing.
        ImplementationError: there is no such implementation, or its file makes no sense.
    """
    found = _WORDS.fullmatch(words)
    if not found:
        raise UsageError(f"{words}: [IMPLEMENTATION:]MODE[@VERSION] is needed, such as ipvs@1.36.3")
    chosen = load(found["which"] or "kube-proxy")
    if found["mode"] not in chosen.modes:
        raise UsageError(
            f"{words}: {chosen.name} has no mode {found['mode']!r}: choose from"
            f" {', '.join(chosen.modes)}"
        )
    version = found["version"] or (artifacts.PINNED if chosen.artifact else "")
    return Named(chosen.of(version) if version else chosen, found["mode"], version)


def of(called: Named, given: Given, nodes: Iterable[IPAddress]) -> Side:
    """The side of that name with what is given of its configuration; ``nodes`` are addresses of
    Nodes.

    Raises:
        ManifestError: the configuration is one of another mode, or makes no sense.
    """
    mode = given.fields.get("mode") or called.mode
    if mode != called.mode and called.implementation.artifact:
        raise ManifestError(f"{given.path}: its mode is {mode}, and not {called.mode}")
    return Side(*called, configuration.said(given.fields), given.of(called.mode, nodes))
