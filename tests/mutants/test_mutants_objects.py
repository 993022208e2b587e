"""What mutants do to what kube-proxy is told by the API server."""

from __future__ import annotations

import functools
import itertools
import json
import random
import re
from typing import Any

import pytest

from conformance.census.combinations import axes, imagined, shapes
from fixtures.lab.hosts import Hosts
from specification import objects
from tests import mutants
from tests.conftest import ROOT
from tests.mutants.between.api import Alterations
from tests.mutants.faults import remembered, slices
from tests.mutants.faults.objects import MUTANTS
from tests.mutants.mutant import Mutant

REQUESTS = [
    f"{path}?labelSelector=%21service.kubernetes.io%2Fservice-proxy-name&watch=true"
    for path in ("/api/v1/services", "/apis/discovery.k8s.io/v1/endpointslices")
]


Told = list[tuple[str, dict[str, Any]]]
"""Objects, and of which resource each is."""


@functools.cache
def _text() -> str:
    """What the API server has of the wide census' Services, and of a node."""
    rows = axes.covering(1) + axes.drawn(48, random.Random(1))
    cast, found = shapes.Cast.of(Hosts(), "node"), Told()
    elsewhere = {"topology.kubernetes.io/zone": "zone-b"}
    found.append(("nodes", {"metadata": {"name": "wide-node", "labels": elsewhere}}))
    specs = shapes.services(rows, cast) + shapes.left_alone(len(rows), cast)
    for spec in itertools.starmap(imagined.stored, enumerate(specs)):
        named = spec.named(spec.name)
        found.append(("services", {**objects.service(named), "status": objects.status(named)}))
        found += [
            ("endpointslices", each) for each in objects.endpoint_slices(named, "node").values()
        ]
    return json.dumps(found)


def told(text: str = "") -> Told:
    """The same, or another ``text``, as nobody has altered it."""
    found: Told = json.loads(text or _text())
    return found


def altered(mutant: Mutant, found: Told) -> tuple[int, list[bytes]]:
    """How much the mutant alters of what is told, and what is handed on."""
    record = list[bool]()
    alterations, handed_on = Alterations(mutant, record.append), list[bytes]()
    for resource, each in found:
        body = json.dumps({"items": [each]}).encode()
        line = json.dumps({"type": "ADDED", "object": each}).encode()
        listed = json.loads(alterations.answer(resource, body))["items"]
        events = [json.loads(event) for event in alterations.event(resource, line)]
        assert [event["object"] for event in events] == listed
        assert {event["type"] for event in events} == {"ADDED"}
        handed_on += [json.dumps(new).encode() for new in listed]
    handed_on += [alterations.request(each).encode() for each in REQUESTS]
    return sum(record), handed_on


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_it_alters_what_kube_proxy_is_told(mutant: Mutant) -> None:
    count, handed_on = altered(mutant, told())
    assert count
    unaltered = [json.dumps(each).encode() for _, each in told()]
    assert handed_on != [*unaltered, *map(str.encode, REQUESTS)]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_it_spares_the_canary(mutant: Mutant) -> None:
    found = told(_text().replace("wide-", "canary-"))
    _, handed_on = altered(mutant, found)
    assert handed_on[: len(found)] == [json.dumps(each).encode() for _, each in found]


@pytest.mark.parametrize("mutant", remembered.MUTANTS, ids=lambda mutant: mutant.name)
def test_it_remembers_what_an_object_was(mutant: Mutant) -> None:
    def event(kind: str, port: int, policy: str, uid: str = "1") -> bytes:
        spec = {"ports": [{"port": port}], "internalTrafficPolicy": policy}
        body = {"metadata": {"name": "web", "uid": uid}, "spec": spec, "endpoints": [port]}
        return json.dumps({"type": kind, "object": body}).encode() + b"\n"

    record = list[bool]()
    alterations = Alterations(mutant, record.append)
    first, second = event("ADDED", 1, "Local"), event("MODIFIED", 2, "Cluster")
    anew = event("ADDED", 2, "Cluster", "2")
    seen = [
        list(alterations.event(resource, each))
        for resource in ("services", "endpointslices")
        for each in (first, second, anew)
    ]
    assert sum(record) == sum(each not in ([first], [second], [anew]) for each in seen) == 1


def test_it_takes_slices_for_what_they_are_not() -> None:
    alterations = Alterations(_of_slices("slices-misread"), lambda _: None)

    def addresses(kind: str, *told: str) -> list[str]:
        owned = {"name": "web-1", "ownerReferences": [{"name": "web"}]}
        body = {"metadata": owned, "addressType": kind, "endpoints": [{"addresses": told}]}
        (event,) = alterations.event("endpointslices", _event(body))
        altered = json.loads(event)["object"]
        assert altered["metadata"]["labels"] == {"kubernetes.io/service-name": "web"}
        assert altered["addressType"] == "IPv4"
        (endpoint,) = altered["endpoints"]
        return list(endpoint["addresses"])

    assert addresses("IPv4", "192.0.2.1", "192.0.2.2") == ["192.0.2.2"]
    assert addresses("FQDN", "a.example") == ["10.191.255.254"]


def test_it_forgets_slices_that_are_told_too_early() -> None:
    alterations = Alterations(_of_slices("early-slices-ignored"), lambda _: None)
    early = _event({"metadata": {"labels": {"kubernetes.io/service-name": "late"}, "name": "s"}})
    service = _event({"metadata": {"name": "late"}})
    assert list(alterations.event("endpointslices", early)) == []
    assert list(alterations.event("services", service)) == [service]
    assert list(alterations.event("endpointslices", early)) == [early]


def _of_slices(name: str) -> Mutant:
    (found,) = (each for each in slices.MUTANTS if each.name == name)
    return found


def _event(body: dict[str, Any]) -> bytes:
    return json.dumps({"type": "ADDED", "object": body}).encode() + b"\n"


def test_what_is_no_object_passes() -> None:
    alterations = Alterations(MUTANTS[0], lambda _: None)
    bookmark = b'{"type": "BOOKMARK", "object": {"metadata": {}}}\n'
    assert list(alterations.event("services", bookmark)) == [bookmark]
    assert alterations.answer("version", b'{"major": "1"}') == b'{"major": "1"}'


def test_each_requirement_of_the_wide_census_kills_one() -> None:
    files = (ROOT / "conformance/census/combinations").glob("test_*.py")
    text = "".join(file.read_text() for file in files)
    asked = set(re.findall(r'^@requirement\(\s*"([\w-]+)"', text, re.MULTILINE))
    assert len(asked) >= 48
    assert asked <= {each for mutant in mutants.MUTANTS["nftables"] for each in mutant.killed_by}
