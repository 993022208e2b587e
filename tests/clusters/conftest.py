"""A file that says what an implementation is, and a node of one that does nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clusters import netns
from clusters.embedded.namespace import Namespace
from clusters.implementation import load
from clusters.node import Management, WiredNode
from clusters.proxy import Program
from fixtures.lab.lab import Lab

Written = Callable[[str], str]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Write the text to a TOML file and return its path."""

    def write(text: str) -> str:
        path = tmp_path / "other.toml"
        path.write_text(text)
        return str(path)

    return write


@pytest.fixture
def lab(tmp_path: Path, pretender: Path) -> Iterator[Lab]:
    """A lab around a namespace node, of which each worker has one, whose proxy does nothing."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    bridge, subnet = f"alone{worker}", f"100.90.{worker}"
    netns.add_bridge(bridge, f"{subnet}.1/24")
    try:
        node = WiredNode(
            f"alone-{worker}",
            Management(bridge, f"alone{worker}-port", f"{subnet}.10"),
            lambda name, links, address: Namespace(name, tmp_path, links, address),
            lambda node: Program(load(str(pretender)), "first", node.system, {}, ""),
        )
        try:
            yield Lab(node)
        finally:
            node.close()
    finally:
        netns.configure(None, [f"link delete {bridge}"])
