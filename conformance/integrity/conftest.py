"""What the tests of this area share: packets of many shapes, to all frontends of one Service."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterable

import pytest

from conformance.vocabulary import (
    PLAIN,
    Family,
    Flows,
    LabClient,
    Protocol,
    Rule,
    Service,
    Services,
    ServiceSpec,
    Shape,
    SocketAddress,
    UnexpectedOutcomeError,
    Vantage,
    World,
    arranged,
    drawn,
    expect,
)
from specification.errors import CannotJudgeError

Send = Callable[[Rule, Iterable[Shape]], None]


@pytest.fixture
def draw(request: pytest.FixtureRequest) -> random.Random:
    """Draws what may be anything: by the run's seed, another thing in each test."""
    return random.Random(f"{request.config.option.seed} {request.node.name}")


def _exposed(service: Services, vantage: Vantage) -> ServiceSpec:
    """A Service with every kind of frontend. What comes from outside is led to endpoints on the
    node, so that their answers pass it whatever address they were shown.
    """
    return service.spec(4 if vantage == "pod" else ["pod", "pod"], exposed=True)


with_all_frontends = arranged(_exposed, shared=True)


@pytest.fixture
def frontends(web: Service, vantage: Vantage) -> list[SocketAddress]:
    """What clients at the vantage can send to."""
    return web.frontends if vantage == "pod" else web.external_frontends


@pytest.fixture
def send(
    world: World,
    client: LabClient,
    protocol: Protocol,
    web: Service,
    frontends: list[SocketAddress],
) -> Send:
    """Open a connection in each shape to each frontend of a Service, send a message both ways, and
    hold a rule on all of these packets: ``send(rule, shapes)``.
    """
    integrity = world.lab.integrity

    def check(rule: Rule, shapes: Iterable[Shape]) -> None:
        before, opened = integrity.held, 0
        for shape in shapes:
            with world.lab.shaped(shape):
                sample = client.connect_to_each(frontends)
                expect(sample, _told(shape)).delivered(to=web)
                opened += len(sample)
                if protocol != "SCTP":
                    flows = Flows(world.lab, client.host.wire, sample)
                    expect(flows.exchange(), _told(shape)).kept(flows)
        if violation := integrity.violations.get(rule):
            raise UnexpectedOutcomeError(rule.demands, violation.seen)
        expected = opened * {"TCP": 5, "UDP": 4, "SCTP": 2}[protocol]
        if not opened or integrity.held - before < expected:
            raise CannotJudgeError(
                f"{integrity.held - before} of {expected} packets were known again"
            )

    return check


def _told(shape: Shape) -> str:
    """How a shape differs from a plain one."""
    values = {
        field.name: getattr(shape, field.name)
        for field in dataclasses.fields(shape)
        if getattr(shape, field.name) != getattr(PLAIN, field.name)
    }
    return ", ".join(
        f"{name} of {len(value)} bytes" if isinstance(value, bytes) else f"{name} {value}"
        for name, value in values.items()
    )


def varied(draw: random.Random, family: Family, **fixed: object) -> Shape:
    """A shape in which all is drawn that is not ``fixed``, and that the family has."""
    others = {"flow_label": 0} if family == "IPv4" else {"identification": None, "summed": True}
    return dataclasses.replace(drawn(draw), **(others | fixed))  # type: ignore[arg-type]  # by name
