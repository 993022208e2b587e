"""How a proxy starts, or refuses to, under circumstances that a test makes up."""

from __future__ import annotations

import dataclasses

import pytest

from conformance.vocabulary import Node, StartError


def pretend(node: Node, *wrapper: str, **environment: str) -> None:
    """Have the proxy on a node started by ``wrapper``, with ``environment`` besides its own."""
    known = node.proxy.implementation
    node.proxy.implementation = dataclasses.replace(
        known,
        argv=[*wrapper, *known.argv],
        environment={**known.environment, **environment},
    )


def assert_refuses(node: Node, *words: str, mode: str | None = None) -> None:
    """The proxy ends by itself, with an error whose line has all the words, and leaves no rules."""
    position = node.proxy.log_position()
    with pytest.raises(StartError, match=r"ended with exit code [1-9]"):
        node.proxy.start(None if mode is None else {"mode": mode})
    log = node.proxy.log_since(position)
    named = [line for line in log.splitlines() if all(word in line for word in words)]
    assert named, f"no line of the log has {' and '.join(words)}:\n{log}"
    assert node.proxy.modes_in_kernel() == set()
