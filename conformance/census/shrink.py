"""Shrinking: the fewest objects and fields with which a decision is still wrong, found out on the
node that it was made on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from functools import partial
from ipaddress import ip_address
from typing import Any, Final

from conformance.census.decision import Decision
from specification.addresses import family_of
from specification.errors import RefusedError
from specification.services import Endpoint, ServiceSpec, Slice

Retry = Callable[[Sequence[ServiceSpec]], Sequence[Decision]]
"""Takes the census of Services that are there for so long."""

Step = Callable[[ServiceSpec], ServiceSpec]
"""Makes a Service simpler in one way, as far as it can be."""

ROUNDS: Final = 12
"""So often at most all steps are tried, each on a Service of its own."""

_FIRST_PORT: Final = 40_000
_ROOM: Final = 4
_OWN: Final = {"name", "namespace", "ports", "slices", "cluster_ips", "families"}


def shrink(wrong: Decision, retry: Retry, seconds: float) -> Decision | None:
    """The same decision about the simplest Service with which it is wrong; ``None`` where it is
    right as soon as its Service is alone. No round begins when ``seconds`` are over.
    """
    end, best, together = time.monotonic() + seconds, wrong, list[Step]()
    for number in range(ROUNDS):
        steps: list[Step] = [partial(_all, together), *(_steps(best) if number else ())]
        simpler = [
            _renumbered(step(best.service), f"shrunk-{number}-{place}", place)
            for place, step in enumerate(steps)
        ]
        try:
            found = {each.service.name: each for each in retry(simpler) if _alike(each, wrong)}
        except RefusedError:  # what is simpler need not be valid
            break
        still = {name: each for name, each in found.items() if each.wrong}
        together = [step for step, each in zip(steps, simpler, strict=True) if each.name in still]
        if not still and not number:
            return None
        smallest = min(still.values(), key=lambda each: _size(each.service), default=best)
        if number and _size(smallest.service) >= _size(best.service):
            break
        best = smallest
        if time.monotonic() > end:
            break
    return best


def _alike(each: Decision, wrong: Decision) -> bool:
    """Whether it is the same decision about another Service."""
    return not each.allowed.undecided and _key(each) == _key(wrong)


def _key(each: Decision) -> tuple[object, ...]:
    frontend, at = each.frontend, each.attempt.target
    own = at.address if frontend.kind in ("external-ip", "load-balancer-ip") else None
    port = frontend.port
    number = {port.number: "port", port.node_port: "nodePort"}.get(at.port, at.port)
    family = family_of(at.address)
    return each.vantage, frontend.kind, family, own, port.protocol, port.name, number


def _renumbered(spec: ServiceSpec, name: str, place: int) -> ServiceSpec:
    """The same with ports of its own, and nothing that another one has by now."""
    least, first = min(each.number for each in spec.ports), _FIRST_PORT + place * _ROOM
    ports = (replace(p, number=first + p.number - least, node_port=None) for p in spec.ports)
    slices = (replace(each, name="") for each in spec.slices)
    return replace(spec, name=name, ports=tuple(ports), slices=tuple(slices), cluster_ips=())


def _size(spec: ServiceSpec) -> tuple[int, ...]:
    said = _said(spec) + sum(_said(each) for each in spec.slices)
    entries = [endpoint for part in spec.slices for endpoint in part.endpoints]
    listed = len(spec.external_ips) + len(spec.ingress) + len(spec.families)
    return len(entries), len(spec.slices), len(spec.ports), said + sum(map(_said, entries)), listed


def _said(value: Any) -> int:
    """How many fields are not as usual."""
    plain = type(value)(value.host) if isinstance(value, Endpoint) else type(value)()
    return sum(getattr(value, each.name) != getattr(plain, each.name) for each in fields(value))


# --- steps ----------------------------------------------------------------------------------------


def _steps(each: Decision) -> Iterator[Step]:
    """All ways in which its Service can be simpler and still be addressed alike."""
    spec, family = each.service, family_of(each.attempt.target.address)
    yield partial(_of_one_family, family=family)
    usual = ServiceSpec()
    for field in fields(spec):
        if field.name not in _OWN and getattr(spec, field.name) != getattr(usual, field.name):
            yield partial(replace, **{field.name: getattr(usual, field.name)})
    for name in ("external_ips", "load_balancer_ips", "load_balancer_source_ranges"):
        for item in getattr(spec, name):
            yield partial(_without_item, field=name, item=item)
    if spec.type == "LoadBalancer":
        yield partial(replace, type="NodePort", load_balancer_ips=())
    for port in spec.ports:
        if port.name != each.frontend.port.name:
            yield partial(_without_port, name=port.name)
    if len(spec.slices) > 1:
        yield _in_one_slice
        for part in spec.slices:
            yield partial(_without_slice, part=part)
    for part in spec.slices:
        if _said(part) > 2:  # its name and its endpoints
            yield partial(_with_usual_slice, part=part)
    for endpoint in dict.fromkeys(spec.endpoints):
        yield partial(_with_endpoint, old=endpoint, new=None)
        ready = replace(endpoint, ready=True, serving=None, terminating=None)
        for new in (ready, replace(endpoint, for_zones=()), replace(endpoint, for_nodes=())):
            if new != endpoint:
                yield partial(_with_endpoint, old=endpoint, new=new)


def _all(steps: Sequence[Step], spec: ServiceSpec) -> ServiceSpec:
    for step in steps:
        spec = step(spec)
    return spec


def _of_one_family(spec: ServiceSpec, *, family: Any) -> ServiceSpec:
    external = (each for each in spec.external_ips if _is_of(each, family))
    ingress = (each for each in spec.ingress if each.ip is None or _is_of(each.ip, family))
    ranges = (e for e in spec.load_balancer_source_ranges if (":" in str(e)) == (family == "IPv6"))
    return replace(
        spec,
        families=(family,),
        external_ips=tuple(external),
        load_balancer_ips=tuple(ingress),
        load_balancer_source_ranges=tuple(ranges),
    )


def _is_of(address: Any, family: str) -> bool:
    return family_of(ip_address(str(address))) == family


def _without_item(spec: ServiceSpec, *, field: str, item: object) -> ServiceSpec:
    left: dict[str, Any] = {field: tuple(e for e in getattr(spec, field) if e != item)}
    return replace(spec, **left)


def _without_port(spec: ServiceSpec, *, name: str) -> ServiceSpec:
    return replace(spec, ports=tuple(each for each in spec.ports if each.name != name))


def _in_one_slice(spec: ServiceSpec) -> ServiceSpec:
    return replace(spec, slices=(Slice(tuple(dict.fromkeys(spec.endpoints))),))


def _without_slice(spec: ServiceSpec, *, part: Slice) -> ServiceSpec:
    return replace(spec, slices=tuple(each for each in spec.slices if each != part))


def _with_usual_slice(spec: ServiceSpec, *, part: Slice) -> ServiceSpec:
    usual = Slice(part.endpoints)
    return replace(spec, slices=tuple(usual if each == part else each for each in spec.slices))


def _with_endpoint(spec: ServiceSpec, *, old: Endpoint, new: Endpoint | None) -> ServiceSpec:
    """The same with another endpoint instead of one, or without it."""
    slices = []
    for part in spec.slices:
        listed = (new if each == old else each for each in part.endpoints)
        slices.append(replace(part, endpoints=tuple(each for each in listed if each)))
    return replace(spec, slices=tuple(slices))
