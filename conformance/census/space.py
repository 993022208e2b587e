"""The space that the census goes through: Services in every combination of traffic policies and of
the states of their endpoints.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from specification.addresses import EXTERNAL_IPS, FAMILIES, LOAD_BALANCER_IPS, numbered
from specification.places import Place
from specification.services import Endpoint, Port, Protocol, ServiceSpec, Slice, TrafficPolicy

if TYPE_CHECKING:
    from fixtures.lab.hosts import Hosts

PROTOCOLS: Final[tuple[Protocol, ...]] = ("TCP", "UDP")
POLICIES: Final[tuple[TrafficPolicy, ...]] = ("Cluster", "Local")
NUMBER: Final = 99
"""Number of the external IP and the load balancer's IP that all Services share."""
FIRST_PORT: Final = 2_000
"""What the census's first Service has for a port; each has the next."""
FIRST_TARGET: Final = 10_000
"""... and for a target port: by it, whoever got a connection says which Service it came by."""


class Condition(NamedTuple):
    """Where an endpoint is, and what its slice says of it."""

    place: Place
    ready: bool
    serving: bool
    terminating: bool


CONDITIONS: Final = (
    Condition("pod", ready=True, serving=True, terminating=False),
    Condition("remote-pod", ready=True, serving=True, terminating=False),
    Condition("pod", ready=False, serving=True, terminating=True),
    Condition("remote-pod", ready=False, serving=True, terminating=True),
    Condition("pod", ready=False, serving=False, terminating=False),
    Condition("remote-pod", ready=False, serving=False, terminating=False),
    Condition("pod", ready=False, serving=False, terminating=True),
)
"""An endpoint in each of these states is there or is not; the first four may be chosen, the others
never.
"""
_USABLE: Final = 4


def endpoints(hosts: Hosts) -> list[Endpoint]:
    """An endpoint in each state of ``CONDITIONS``; all Services share them."""
    return [
        Endpoint(hosts(each.place)[0], each.ready, each.serving, each.terminating)
        for each in CONDITIONS
    ]


def services(listed: Sequence[Endpoint], variations: int, seed: int) -> list[ServiceSpec]:
    """Services in all combinations of policies and of endpoints that may be chosen (64), each with
    ``variations`` of the 8 sets of endpoints that may not, drawn by ``seed``: 8 are all.
    """
    policies = itertools.product(POLICIES, repeat=2)
    usable, others = (
        [list(each) for each in itertools.product((True, False), repeat=count)]
        for count in (_USABLE, len(CONDITIONS) - _USABLE)
    )
    draw = random.Random(seed)
    drawn = (
        (policy, listed_here + rest)
        for policy in policies
        for listed_here in usable
        for rest in draw.sample(others, variations)
    )
    return [
        ServiceSpec(
            name=f"census-{number}",
            type="LoadBalancer",
            families=FAMILIES,
            ports=tuple(
                Port(FIRST_PORT + number, FIRST_TARGET + number, protocol, protocol.lower())
                for protocol in PROTOCOLS
            ),
            slices=(Slice(tuple(itertools.compress(listed, chosen))),),
            internal_traffic_policy=internal,
            external_traffic_policy=external,
            external_ips=tuple(numbered(EXTERNAL_IPS, NUMBER).values()),
            load_balancer_ips=tuple(numbered(LOAD_BALANCER_IPS, NUMBER).values()),
        )
        for number, ((internal, external), chosen) in enumerate(drawn)
    ]


def lean(services: Sequence[ServiceSpec], seed: int) -> list[ServiceSpec]:
    """The same Services, each in one family and over one protocol, a quarter of what there is to
    program: the four policies of the same endpoints have all four of these, in an order drawn by
    ``seed``.
    """
    draw, sets = random.Random(seed), len(services) // len(POLICIES) ** 2
    four = list(itertools.product(FAMILIES, range(len(PROTOCOLS))))
    drawn = [draw.sample(four, len(four)) for _ in range(sets)]
    made = []
    for number, each in enumerate(services):
        family, port = drawn[number % sets][number // sets]
        made.append(
            replace(
                each,
                families=(family,),
                ports=(each.ports[port],),
                external_ips=(numbered(EXTERNAL_IPS, NUMBER)[family],),
                load_balancer_ips=(numbered(LOAD_BALANCER_IPS, NUMBER)[family],),
            )
        )
    return made


@functools.lru_cache(maxsize=512)
def states(service: ServiceSpec) -> frozenset[str]:
    """The states of its endpoints in words, such as "ready here"."""
    return frozenset(_in_words(each) for each in service.endpoints)


def in_words(service: ServiceSpec) -> str:
    """What tells a Service of the census from the others."""
    return (
        f"internal policy {service.internal_traffic_policy},"
        f" external policy {service.external_traffic_policy},"
        f" endpoints {', '.join(sorted(states(service))) or 'none'}"
    )


def _in_words(each: Endpoint) -> str:
    ready, serving = (each.ready is not False, each.serving is not False)
    state = {
        (True, True, False): "ready",
        (False, True, True): "serving while terminating",
        (False, False, True): "terminating",
        (False, False, False): "not ready",
        (False, True, False): "serving though not ready",
        (True, True, True): "ready though terminating",
        (True, False, True): "ready though terminating",
        (True, False, False): "ready",
    }[ready, serving, each.terminating is True]
    return f"{state} {'here' if each.host.place == 'pod' else 'elsewhere'}"
