"""What is written to the API where one specification follows another."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from clusters.simulated.api import MemoryApi
from fixtures.services.writes import difference, merge_patch
from specification.addresses import EXTERNAL_IPS, FAMILIES, numbered
from specification.objects import endpoint_slices, service, status
from specification.places import Host
from specification.services import HEADLESS, Endpoint, Port, ServiceSpec, Slice

if TYPE_CHECKING:
    from specification.services import Object

NODE = "the-node"
HERE, THERE = Endpoint(Host("pod", 300)), Endpoint(Host("remote-pod", 301, 1))

PLAIN = ServiceSpec(name="web", slices=(Slice((HERE,)), Slice((THERE,)))).named("")
EXPOSED = replace(
    PLAIN,
    type="LoadBalancer",
    ports=(Port(node_port=30010),),
    external_ips=tuple(numbered(EXTERNAL_IPS, 7).values()),
    load_balancer_ips=tuple(numbered(EXTERNAL_IPS, 8).values()),
    external_traffic_policy="Local",
    health_check_node_port=30011,
)
FIRST, SECOND = PLAIN.slices
SPECS = {
    "nothing": None,
    "plain": PLAIN,
    "exposed": EXPOSED,
    "only on nodes": replace(EXPOSED, type="NodePort"),
    "no longer exposed": replace(EXPOSED, type="ClusterIP"),
    "a name": replace(EXPOSED, type="ExternalName", external_name="other.example"),
    "IPv4 alone": replace(PLAIN, families=("IPv4",)),
    "sticky": replace(PLAIN, session_affinity="ClientIP"),
    "sticky for a while": replace(PLAIN, session_affinity=60),
    "within the node": replace(PLAIN, internal_traffic_policy="Local"),
    "other ports": replace(PLAIN, ports=(Port(81), Port(53, 5353, "UDP", "dns"))),
    "no slices": replace(PLAIN, slices=()),
    "slices alone": replace(EXPOSED, slices_only=True),
    "one slice, labelled": replace(PLAIN, slices=(replace(SECOND, labels={HEADLESS: ""}),)),
    "the other's": replace(PLAIN, slices=(FIRST, replace(SECOND, service_name="other"))),
    "nobody's": replace(PLAIN, slices=(FIRST, replace(SECOND, service_name=None))),
    "annotated": replace(PLAIN, annotations={"a": "b"}, labels={"c": "d"}),
}


@pytest.mark.parametrize(("old", "new"), list(itertools.product(SPECS, repeat=2)))
def test_the_api_holds_what_follows(old: str, new: str) -> None:
    """Whatever was there before; and what is there already is not written."""
    api = MemoryApi()
    for write in difference(None, SPECS[old], NODE):
        write.make(api)
    writes = difference(SPECS[old], SPECS[new], NODE)
    assert bool(writes) == (old != new)
    for write in writes:
        write.make(api)
    stored = {body["metadata"]["name"]: body for body in api.objects.values()}
    before, after = bodies(SPECS[old]), bodies(SPECS[new])
    assert stored.keys() == after.keys()
    for name, body in after.items():
        assert holds(stored[name], body)
        assert not left(stored[name], before.get(name, {}), body)


def bodies(spec: ServiceSpec | None) -> dict[str, Object]:
    """What the API is to hold, by name."""
    if spec is None:
        return {}
    found = endpoint_slices(spec, NODE)
    return found if spec.slices_only else {"web": service(spec) | {"status": status(spec)}, **found}


def holds(stored: Any, wanted: Any) -> bool:
    """Whether something is stored as it is wanted, with or without what a server fills in."""
    if isinstance(wanted, dict):
        return all(
            key not in stored if value is None else holds(stored.get(key, {}), value)
            for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        pairs = zip(stored, wanted, strict=False)
        return len(stored) == len(wanted) and all(holds(*pair) for pair in pairs)
    return bool(stored == wanted)


FILLED_IN = {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10_800}}}
"""What the API server has where nothing is said."""


def left(stored: Object, before: Object, after: Object) -> list[str]:
    """Members that were written once and should be gone."""
    gone = [
        key
        for key in before
        if before[key] and key not in after and stored.get(key) not in (None, FILLED_IN.get(key))
    ]
    for key in before.keys() & after.keys():
        if isinstance(before[key], dict) and isinstance(after[key], dict):
            gone += left(stored.get(key, {}), before[key], after[key])
    return gone


def test_the_service_comes_first_and_what_goes_last() -> None:
    steps = [(None, EXPOSED), (EXPOSED, replace(PLAIN, slices=(SECOND, Slice(name="new"))))]
    said = [
        [f"{write.verb} {write.key.name} {write.key.subresource}".strip() for write in writes]
        for writes in (difference(old, new, NODE) for old, new in steps)
    ]
    slices = ["web-0-ipv4", "web-0-ipv6", "web-1-ipv4", "web-1-ipv6"]
    assert said == [
        ["create web", "patch web status", *(f"create {name}" for name in slices)],
        [
            "patch web",
            "patch web status",
            *(f"create new-{family.lower()}" for family in FAMILIES),
            *(f"delete {name}" for name in slices[:2]),
        ],
    ]


STICKY = {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}}}


@pytest.mark.parametrize(
    ("old", "changes", "expected"),
    [
        ("plain", {"internal_traffic_policy": "Local"}, {"internalTrafficPolicy": "Local"}),
        ("plain", {"session_affinity": 60}, {"sessionAffinity": "ClientIP", **STICKY}),
        ("sticky", {"session_affinity": 60}, STICKY),
        (
            "sticky",  # the API server has filled in a timeout
            {"session_affinity": "None"},
            {"sessionAffinity": "None", "sessionAffinityConfig": None},
        ),
        ("sticky for a while", {"session_affinity": "ClientIP"}, {"sessionAffinityConfig": None}),
        (
            "plain",  # which has cluster IPs by now
            {"type": "ExternalName", "external_name": "other.example"},
            {
                "type": "ExternalName",
                "externalName": "other.example",
                **dict.fromkeys(("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")),
                "internalTrafficPolicy": None,
            },
        ),
        (
            "exposed",
            {"external_traffic_policy": "Cluster"},
            {"externalTrafficPolicy": "Cluster", "healthCheckNodePort": None},
        ),
        (
            "IPv4 alone",
            {"families": FAMILIES},
            {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": list(FAMILIES)},
        ),
    ],
)
def test_a_change_of_the_service_is_one_patch_of_what_differs(
    old: str, changes: dict[str, Any], expected: Object
) -> None:
    known = SPECS[old]
    assert known
    first, *_ = difference(known, replace(known, **changes), NODE)
    assert (first.verb, first.key.name, first.body) == ("patch", "web", {"spec": expected})


def test_labels_of_a_slice_are_patched_one_by_one() -> None:
    for new, label in (("the other's", "other"), ("nobody's", None)):
        writes = difference(PLAIN, SPECS[new], NODE)
        assert [(write.verb, write.key.name, write.body) for write in writes] == [
            ("patch", name, {"metadata": {"labels": {"kubernetes.io/service-name": label}}})
            for name in ("web-1-ipv4", "web-1-ipv6")
        ]


def test_patches_are_those_of_rfc_7386() -> None:
    old = {"a": 1, "b": {"c": [1, 2], "d": 2}, "e": {"f": 1}, "g": None}
    new = {"a": 1, "b": {"c": [1], "d": 2}, "h": {"i": 1}, "j": None}
    assert merge_patch(old, new) == {"b": {"c": [1]}, "e": None, "h": {"i": 1}, "j": None}
    assert merge_patch(old, old) == {}
