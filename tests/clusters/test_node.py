"""A node without a proxy: what it must do so that nothing is blamed on one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fixtures.clients.client import LabClient
from fixtures.lab.hosts import Hosts
from specification.addresses import FAMILIES, Family
from specification.errors import UnsupportedError

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
