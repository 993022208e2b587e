"""Names that tell nothing, for who hands on what was foretold."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foretell.manifests.cluster import Cluster


def renamed(cluster: Cluster) -> Cluster:
    """The same Services by other names, the same for equal ones; with a key that nobody keeps."""
    key = secrets.token_bytes(16)

    def other(kind: str, name: str) -> str:
        return f"{kind}-{hashlib.blake2s(name.encode(), digest_size=4, key=key).hexdigest()}"

    services = tuple(
        replace(
            each, namespace=other("namespace", each.namespace), name=other("service", each.name)
        )
        for each in cluster.services
    )
    return replace(cluster, services=services)
