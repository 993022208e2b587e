"""A node without a proxy: what it must do so that nothing is blamed on one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from clusters import netns
from clusters.embedded.namespace import Namespace
from clusters.implementation import load
from clusters.node import Management, WiredNode
from clusters.proxy import Program
from fixtures.clients.client import LabClient
from fixtures.lab.hosts import Hosts
from fixtures.lab.lab import Lab
from specification.addresses import FAMILIES, Family
from specification.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROBES = 400
"""More than the kernel refuses in a second if it is not told otherwise: 50 of a host at once."""


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


@pytest.mark.parametrize("family", FAMILIES)
def test_each_probe_of_a_batch_is_refused(lab: Lab, family: Family) -> None:
    client = LabClient(lab, Hosts()("pod")[0], family, "UDP")
    sample = client.connect_many(lab.node.address(family), 9, PROBES)
    assert sample.is_refused.all(), sample


def test_proxy_without_a_cleanup_command_does_not_pretend_to_clean_up(lab: Lab) -> None:
    with pytest.raises(UnsupportedError, match="pretender has no command"):
        lab.node.proxy.cleanup()
