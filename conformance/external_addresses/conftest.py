"""Who asks for external addresses."""

from __future__ import annotations

import pytest

from conformance.external_addresses.everybody import of_all_kinds
from conformance.vocabulary import LabClient, World


@pytest.fixture
def clients(world: World) -> list[LabClient]:
    """Clients of all kinds."""
    return of_all_kinds(world)
