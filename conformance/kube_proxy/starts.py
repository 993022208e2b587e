"""How a proxy starts, or refuses to, under circumstances that a test makes up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from conformance.vocabulary import Node, StartError


def assert_refuses(
    node: Node,
    *words: str,
    configuration: dict[str, Any] | None = None,
    wrapper: Sequence[str] = (),
    **environment: str,
) -> None:
    """The proxy, started by ``wrapper`` with ``configuration`` and with ``environment`` besides
    its own, ends by itself, with an error whose line has all the words, and leaves no rules.
    """
    position = node.proxy.log_position()
    with pytest.raises(StartError, match=r"ended with exit code [1-9]"):
        node.proxy.start(configuration, wrapper=wrapper, environment=environment)
    log = node.proxy.log_since(position)
    named = [line for line in log.splitlines() if all(word in line for word in words)]
    assert named, f"no line of the log has {' and '.join(words)}:\n{log}"
    assert node.proxy.modes_in_kernel() == set()
