"""A node without a proxy: what it must do so that nothing is blamed on one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from clusters.proxy import Program
from fixtures.clients.client import LabClient
from fixtures.lab.hosts import Hosts
from specification.addresses import FAMILIES, Family
from specification.errors import StartError, UnsupportedError

if TYPE_CHECKING:
    from fixtures.lab.lab import Lab

PROBES = 400
"""More than the kernel refuses in a second if it is not told otherwise: 50 of a host at once."""


@pytest.mark.parametrize("family", FAMILIES)
def test_each_probe_of_a_batch_is_refused(lab: Lab, family: Family) -> None:
    client = LabClient(lab, Hosts()("pod")[0], family, "UDP")
    sample = client.connect_many(lab.node.address(family), 9, PROBES)
    assert sample.is_refused.all(), sample


def test_proxy_without_a_cleanup_command_does_not_pretend_to_clean_up(lab: Lab) -> None:
    with pytest.raises(UnsupportedError, match="pretender has no command"):
        lab.node.proxy.cleanup()


@pytest.mark.parametrize("begins", [True, False])
def test_proxy_is_ready_once_its_command_succeeds(lab: Lab, begins: bool) -> None:
    begin = "sleep 0.3; touch {directory}/working;" if begins else ""
    described = msgspec.structs.replace(
        lab.node.proxy.implementation,
        argv=["sh", "-c", f"{begin} exec sleep 60"],
        ready=["test", "-e", "{directory}/working"],
        ready_timeout=1 + 20 * begins,
    )
    proxy = Program(described, "first", lab.node.system, {}, "")
    try:
        if begins:
            proxy.start()
            assert proxy.seconds_to_ready >= 0.3
        else:
            with pytest.raises(StartError, match="was not ready after 1 s"):
                proxy.start()
    finally:
        proxy.close()
