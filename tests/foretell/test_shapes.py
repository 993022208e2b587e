"""Shapes: a Service is decided about as its shapes are, and thousands have few."""

from __future__ import annotations

import random

import pytest

from conformance.census.combinations import axes, imagined, shapes
from conformance.census.decision import Decision
from fixtures.lab.hosts import Hosts
from foretell import decisions, side
from foretell import shapes as foretold
from foretell.configuration import NONE
from foretell.foretold import in_words
from specification.places import ZONES
from specification.services import HEADLESS
from tests.foretell.cases import bodies, read, service

SIDE = side.of(side.named("nftables"), NONE, ())


def told(each: Decision) -> tuple[str, str, str, int, str]:
    """A decision without names and numbers."""
    version = each.attempt.target.address.version
    what = in_words(each.allowed)
    return each.frontend.kind, each.vantage, each.attempt.protocol, version, what


@pytest.mark.parametrize("seed", range(4))
def test_a_service_is_decided_about_as_its_shape_is(seed: int) -> None:
    """Of random Services, whatever they have: nothing that matters is lost with names, numbers and
    further endpoints of a kind.
    """
    draw = random.Random(seed)
    cast = shapes.Cast.of(Hosts(), foretold.NODE)
    for number, spec in enumerate(shapes.services(axes.drawn(60, draw), cast)):
        if HEADLESS in spec.labels:
            continue  # whether it is looked at is left open
        stored = imagined.stored(number, spec.named("web"))
        (web,) = read(*bodies(stored, foretold.NODE)).services
        seen = foretold.seen_from(web, foretold.NODE, ZONES[0])
        own = {told(each) for each in imagined.decisions([stored], foretold.NODE, SIDE.features)}
        others = {told(each) for shape in seen for each in decisions.decided(shape, SIDE)}
        others = {each for each in others if each[1] != "node" or each[2] == "UDP"}
        if spec.load_balancer_source_ranges:  # those of shapes admit others
            own, others = (
                {each for each in some if each[0] != "load-balancer-ip"} for some in (own, others)
            )
        assert others == own, spec


def test_names_and_numbers_make_no_shape() -> None:
    ips = [f"10.96.1.{number}" for number in range(1, 30)]
    found = read(*(service(f"web-{ip}", clusterIP=ip, clusterIPs=[ip]) for ip in ips))
    shown = {shape for each in found.services for shape in foretold.of(each, found.zones)}
    assert len(shown) == len({"where an endpoint is here", "where it is on another node"})
