"""A soak: hours of changes, and restarts now and then. All stays right, and nothing grows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conformance.census.soak.lives import FILES, GOROUTINES, MEMORY, RULES, Quantity
from conformance.vocabulary import docs, requirement, source

Steady = Callable[[Quantity], None]

_LEAKS = source("pkg/proxy/servicechangetracker_test.go", "TestServiceCacheLeaks")


@requirement("soak-decisions", docs("virtual-ips"), docs("service"))
@pytest.mark.usefixtures("life")
def test_life(live: Callable[[], None]) -> None:
    """From one start of a proxy to the next, and whatever came before, what becomes of new
    connections and of flows must follow from what the API holds, through any number of changes.
    """
    live()


@requirement("soak-memory", _LEAKS)
def test_memory(steady: Steady) -> None:
    """Once it is warm, a proxy must have no more memory resident after many changes of Services
    that are gone than after few.
    """
    steady(MEMORY)


@requirement("soak-files", _LEAKS)
def test_files(steady: Steady) -> None:
    """A proxy must have no more files open after many changes of Services that are gone than after
    few.
    """
    steady(FILES)


@requirement("soak-goroutines", _LEAKS)
def test_goroutines(steady: Steady) -> None:
    """A proxy that tells of its goroutines must have no more of them after many changes of Services
    that are gone than after few.
    """
    steady(GOROUTINES)


@requirement("soak-rules", source("pkg/proxy/nftables/proxier.go", "syncProxyRules"))
def test_rules(steady: Steady) -> None:
    """A proxy must have no more rules in the kernel after many changes of Services that are gone
    than after few.
    """
    steady(RULES)
