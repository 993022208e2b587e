"""A census as a run would leave it: two Services, a port that neither has, and a cluster IP."""

from __future__ import annotations

from typing import Any

UNSERVED = "TCP/IPv4 from a pod to the cluster IP, port 1"
SERVED = "TCP/IPv4 from outside to the cluster IP, its port tcp"


def census(
    mode: str = "iptables",
    seen: str = "passed on",
    *,
    served: str = "delivered, seen from the node",
    right: bool = True,
    **changes: Any,
) -> dict[str, Any]:
    """What is seen of the port that nobody has, and of the others; whether the latter is right."""
    record = {
        "type": "census",
        "mode": mode,
        "name": "policies",
        "seed": 5,
        "attempts": [UNSERVED, SERVED],
        "verdicts": [
            {
                "allowed": "refused or passed on",
                "because": ["unserved_port_of_a_cluster_ip"],
                "seen": seen,
            },
            {
                "allowed": "delivered, seen from either",
                "because": ["ready", "stranger_at_a_cluster_ip"],
                "seen": served,
                "right": right,
            },
        ],
        "states": [
            {"name": f"census-{n}", "about": f"{n} endpoints", "rows": [[0, 0], [1, 1]]}
            for n in (1, 2)
        ],
        "probes": 64,
        "seconds": {"creation": 0.25, "settling": 0.25},
    }
    return record | changes
