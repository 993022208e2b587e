"""Which Docker kind clusters are in: the user's where one runs, else one of the suite's own."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from clusters.kind.docker import engine, limits, private
from clusters.kind.docker.engine import Engine
from clusters.sandbox import CGROUPS, KEEP, KEPT_PROCESSES, KEPT_SOCKET
from specification.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator


def choose(clusters: int = 0) -> bool:
    """Outside the sandbox, find out which Docker is to be used for so many clusters, and have the
    sandbox let it in; whether that is one of the suite's own.

    Raises ArtifactError with one line that says what is missing.
    """
    if os.geteuid() != 0:
        raise ArtifactError(
            "kind clusters are judged as root, who alone may enter the network of a Docker's"
            " containers: run this as root"
        )
    limits.check(clusters)
    found = engine.find()
    os.environ[KEEP] = found or CGROUPS
    if found is None:
        private.prepare()
    return found is None


@contextlib.contextmanager
def chosen() -> Iterator[Engine]:
    """In the sandbox, the Docker that ``choose`` has chosen outside.

    Raises ArtifactError where it cannot be had.
    """
    if os.environ.get(KEEP, CGROUPS) == CGROUPS:
        with private.private() as own:
            yield own
    else:
        yield Engine(f"unix://{KEPT_SOCKET}", KEPT_PROCESSES)
