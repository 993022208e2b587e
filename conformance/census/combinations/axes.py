"""The axes of the wide space, in which Services differ in all that decides about them; a covering
array of it, in which every two values meet, and Services drawn at random beyond that.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final

from covertable import make

from specification.addresses import FAMILIES

Row = Mapping[str, Any]
"""A value of each axis."""

FIELDS: Final[Row] = {
    "external_traffic_policy": ("Cluster", "Local"),
    "internal_traffic_policy": ("Cluster", "Local"),
    "session_affinity": ("None", "ClientIP"),
    "publish_not_ready_addresses": (False, True),
    "traffic_distribution": (None, "PreferClose", "PreferSameZone"),
    "load_balancer_class": (None, "example.com/balancer"),
    "families": (FAMILIES, FAMILIES[:1], FAMILIES[1:], FAMILIES[::-1]),
}
"""Axes that are fields of ServiceSpec."""

AXES: Final[Row] = {
    **FIELDS,
    "type": ("ClusterIP", "NodePort", "LoadBalancer", "LoadBalancer without nodePorts"),
    "ranges": (
        "none",
        "outside",
        "outside, with blanks",
        "pods",
        "nodes",
        "outside and pods",
        "nobody and everybody",
        "nobody",
        "IPv4 alone",
        "annotated",
    ),
    "ingress": ("one", "two", "proxy", "one and proxy", "hostname and one", "hostname"),
    "external_ips": ("one", "two"),
    "ports": ("TCP", "UDP", "TCP and UDP", "two and UDP", "TCP and SCTP"),
    "slices": ("one", "halves", "targets", "twice", "apart", "families", "IPv4", "headless"),
    "endpoints": (
        "here near far",
        "here also-here",
        "near far",
        "here:terminating near:terminating",
        "here:terminating near far",
        "here near:terminating far:terminating",
        "here:published far:published",
        "here:unready far:serving",
        "here:unready also-here far near:gone",
        "here:unknown far:unknown",
        "here:ending far:silent",
        "",
    ),
    "hints": (
        "none",
        "zones",
        "several zones",
        "another zone",
        "zones but one",
        "nodes",
        "nodes but one",
        "another node",
    ),
    "topology_mode": (False, True),
}
"""All axes; words are explained in ``conformance.census.combinations.shapes``."""

CONDITIONS: Final = (
    *("ready",) * 4,
    *("terminating", "published", "unready", "serving", "gone", "unknown", "ending", "silent"),
)
HINTS: Final = (
    *((), ("zone-a",), ("zone-b",), ("zone-a", "zone-b"), ("zone-c",)),
    *(("lab-1",), ("node", "zone-a"), ("lab-2", "zone-b")),
)
"""What an endpoint may be hinted for where endpoints are drawn; ``node`` is the node under test."""

_BALANCERS: Final = AXES["type"][2:]
_OF_BALANCERS: Final = {"operator": "in", "left": "type", "values": _BALANCERS}

IN_ANY_CASE: Final[tuple[Row, ...]] = (
    {
        "type": "LoadBalancer without nodePorts",
        "external_traffic_policy": "Local",
        "endpoints": "here near far",
        "ranges": "outside",
        "ingress": "one",
    },
    {
        "type": "ClusterIP",
        "external_traffic_policy": "Local",
        "endpoints": "here also-here",
        "session_affinity": "None",
    },
    {
        "internal_traffic_policy": "Local",
        "endpoints": "here also-here",
        "session_affinity": "None",
    },
    *(
        {
            "internal_traffic_policy": "Cluster",
            "external_traffic_policy": "Local",
            "endpoints": "here near far",
            "hints": hints,
        }
        for hints in ("zones", "nodes", "another node", "nodes but one")
    ),
    {"internal_traffic_policy": "Local", "endpoints": "here near far", "hints": "zones"},
    {
        "internal_traffic_policy": "Cluster",
        "endpoints": "here also-here",
        "hints": "nodes but one",
    },
    {
        "internal_traffic_policy": "Cluster",
        "endpoints": "here:unready also-here far near:gone",
        "hints": "zones but one",
        "topology_mode": True,
    },
    *(
        {
            "internal_traffic_policy": "Cluster",
            "traffic_distribution": distribution,
            "endpoints": "here near far",
            "hints": hints,
        }
        for distribution, hints in (("PreferClose", "none"), ("PreferSameZone", "zones"))
    ),
    {  # annotated, too: hints count for a proxy that does not follow them whatever the annotations
        "internal_traffic_policy": "Cluster",
        "traffic_distribution": "PreferSameZone",
        "endpoints": "here near far",
        "hints": "zones",
        "topology_mode": True,
    },
    {
        "type": "NodePort",
        "internal_traffic_policy": "Local",
        "external_traffic_policy": "Cluster",
        "endpoints": "near far",
    },
    {"families": FAMILIES, "slices": "IPv4", "endpoints": "here near far"},
    *(
        {
            "type": "ClusterIP",
            "internal_traffic_policy": "Cluster",
            "session_affinity": "ClientIP",
            "families": families,
            "slices": "one",
            "endpoints": "here near far",
        }
        for families in (FAMILIES, FAMILIES[::-1])
    ),
)
"""More than two values that must meet, or a requirement would have nothing to look at."""


def covering(seed: int) -> list[Row]:
    """Rows in which every two values of two axes meet, but for those that only a load balancer has
    and other types. The rows are others for another ``seed``.
    """
    rows: list[Row] = make(
        dict(AXES),
        salt=str(seed),
        presets=list(IN_ANY_CASE),
        constraints=[_only_with_a_balancer("ranges"), _only_with_a_balancer("ingress")],
    )
    return rows


def drawn(count: int, draw: random.Random) -> list[Row]:
    """So many rows of values that meet at random, their endpoints too."""
    rows = list[Row]()
    for _ in range(count):
        row = {axis: draw.choice(values) for axis, values in AXES.items()}
        row |= {"endpoints": _endpoints(draw), "hints": "as drawn"}
        if row["type"] not in _BALANCERS:
            row |= {"ranges": "none", "ingress": "one"}
        rows.append(row)
    return rows


def in_words(row: Row) -> str:
    """The values of a row that are not the first of their axes, and its endpoints."""
    usual = {axis: values[0] for axis, values in AXES.items()} | {"endpoints": row["endpoints"]}
    said = [f"{axis} {row[axis]}" for axis in AXES if row[axis] != usual[axis]]
    return ", ".join([f"endpoints {row['endpoints'] or 'none'}", *said])


def _endpoints(draw: random.Random) -> str:
    places = ("here", "also-here", "near", "far")
    words = []
    for place in draw.sample(places, draw.randint(1, len(places))):
        hints = draw.choice(HINTS) if draw.random() < 0.7 else ()
        words.append(f"{place}:{draw.choice(CONDITIONS)}{''.join(f'@{each}' for each in hints)}")
    return " ".join(words)


def _only_with_a_balancer(axis: str) -> Row:
    plain = {"operator": "eq", "left": axis, "value": AXES[axis][0]}
    return {"operator": "or", "conditions": [plain, _OF_BALANCERS]}
