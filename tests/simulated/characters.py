"""Characters of a proxy in memory: what the specification leaves open they do in different ways, so
that one shows a bend which another hides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final
from unittest.mock import patch

from clusters.implementation import Implementation
from clusters.simulated import proxy
from clusters.simulated.kernel import Drop
from specification.places import Place
from specification.rules.allowed import Allowed
from specification.rules.flows import Flow, goes_on
from specification.rules.state import State


@contextmanager
def usual() -> Iterator[None]:
    """It claims everything, and ends the flows of which nothing is said; where its rules raise an
    exception, as bent ones may, it drops the packet.
    """
    call, stays = proxy.SpecifiedProxy.__call__, proxy.SpecifiedProxy._goes_on

    def decide(self: proxy.SpecifiedProxy, *case: Any) -> Any:
        try:
            return call(self, *case)
        except Exception:  # noqa: BLE001  # whatever a bend does
            return Drop()

    def keep(self: proxy.SpecifiedProxy, *flow: Any) -> bool:
        try:
            return stays(self, *flow)
        except Exception:  # noqa: BLE001  # whatever a bend does
            return False

    with patch.multiple(proxy.SpecifiedProxy, __call__=decide, _goes_on=keep):
        yield


@contextmanager
def modest() -> Iterator[None]:
    """The same, but it claims nothing that it need not."""

    def claims(*_: object) -> bool:
        return False

    def claimed(*_: object) -> frozenset[str]:
        return frozenset()

    with usual(), patch.multiple(Implementation, claims=claims, claimed=claimed):
        yield


@contextmanager
def lenient() -> Iterator[None]:
    """It claims everything, and leaves alone the flows of which nothing is said."""

    def goes_on_if_it_may(state: State, flow: Flow, place: Place) -> Allowed:
        right = goes_on(state, flow, place)
        if right.undecided and flow.endpoint:
            return Allowed({flow.endpoint: flow.seen})
        return right

    with usual(), patch.object(proxy, "goes_on", goes_on_if_it_may):
        yield


ALL: Final[dict[str, Callable[[], AbstractContextManager[None]]]] = {
    "usual": usual,
    "modest": modest,
    "lenient": lenient,
}
