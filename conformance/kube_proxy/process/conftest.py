"""Where kube-proxy is a program that the suite starts, and ends, by itself."""

from __future__ import annotations

import pytest

from fixtures.record.recorder import OPTIONS
from specification.errors import UnsupportedError


@pytest.fixture(scope="module", autouse=True)
def started_by_the_suite(pytestconfig: pytest.Config) -> None:
    """Leave out nodes of kind, where a pod starts kube-proxy, and starts it again.

    Raises:
        UnsupportedError: they are such.
    """
    if pytestconfig.stash[OPTIONS].kind:
        raise UnsupportedError("a pod starts kube-proxy here, and starts it again")
