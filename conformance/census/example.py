"""A decision as a requirement example, to be pasted into a test (docs/writing-a-requirement.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from ipaddress import ip_address
from typing import Any, Final

from conformance.census.decision import Decision
from specification.addresses import (
    EXTERNAL_IPS,
    FAMILIES,
    LOAD_BALANCER_IPS,
    IPAddress,
    IPNetwork,
    family_of,
)
from specification.services import Endpoint, Ingress, Port, ServiceSpec, Slice

_NAMES: Final = ("one", "two", "three", "four", "five", "six", "seven", "eight")
_LEFT_OUT: Final = {"name", "namespace", "cluster_ips", "families", "slices", "ports"}


def example(decision: Decision, node: str) -> str:
    """A test that asks for what was decided, and a function that arranges its Service; ``node`` is
    the name of the node under test.
    """
    family, protocol = family_of(decision.attempt.target.address), decision.attempt.protocol
    return f'''\
def _shown(service: Services) -> ServiceSpec:
{_arranged(decision.service, node)}

@over(family="{family}", protocol="{protocol}", vantage="{decision.vantage}")
@arranged(_shown)
def test_shown(web: Service, client: Client, assert_pool: Pool, node: Node) -> None:
    """What is sent ... must ..."""
{_expected(decision)}'''


def _arranged(spec: ServiceSpec, node: str) -> str:
    names = {each: _NAMES[number] for number, each in enumerate(dict.fromkeys(spec.endpoints))}
    lines = [f"{name} = {_endpoint(each, node)}" for each, name in names.items()]
    lines.append("return service.spec(")
    [part, *others] = spec.slices
    listed = ", ".join(names[each] for each in part.endpoints)
    plain = not others and not _said(part, Slice(), {"endpoints", "name"})
    parts = "".join(f"{_slice(each, names)}, " for each in spec.slices).removesuffix(" ")
    lines.append(f"    [{listed}]," if plain else f"    slices=({parts}),")
    lines += [f"    {name}={text}," for name, text in _fields(spec).items()]
    return "\n".join(f"    {each}" for each in [*lines, ")\n"])


def _endpoint(each: Endpoint, node: str) -> str:
    where = [repr(each.host.place), *([str(each.host.node)] if each.host.node else [])]
    said = _said(each, Endpoint(each.host))
    for_nodes = ["service.node.name" if name == node else repr(name) for name in each.for_nodes]
    said |= {"for_nodes": f"({', '.join(for_nodes)},)"} if for_nodes else {}
    return f"service.endpoint({', '.join([*where, *_options(said)])})"


def _fields(spec: ServiceSpec) -> dict[str, str]:
    said = _said(spec, ServiceSpec(), _LEFT_OUT)
    if len(spec.ports) > 1 or any(each.ports for each in spec.slices):
        said["ports"] = _text(tuple(replace(each, node_port=None) for each in spec.ports))
    if spec.families != FAMILIES:
        said["families"] = _text(spec.families)
    return said


def _slice(part: Slice, names: Mapping[Endpoint, str]) -> str:
    listed = "".join(f"{names[each]}, " for each in part.endpoints).removesuffix(" ")
    said = _said(part, Slice(), {"endpoints", "name"})
    return f"Slice({', '.join([f'({listed})', *_options(said)])})"


def _options(said: Mapping[str, str]) -> list[str]:
    return [f"{name}={text}" for name, text in said.items()]


def _said(value: Any, usual: Any, but: set[str] | None = None) -> dict[str, str]:
    """The fields that are not as usual."""
    names = [each.name for each in fields(value) if each.name not in (but or {"host"})]
    found = {name: getattr(value, name) for name in names}
    return {name: _text(each) for name, each in found.items() if each != getattr(usual, name)}


def _text(value: Any) -> str:
    match value:
        case tuple():
            return f"({''.join(f'{_text(each)}, ' for each in value)})".replace(", )", ",)")
        case Ingress() | Port():
            return f"{type(value).__name__}({', '.join(_options(_said(value, type(value)())))})"
        case _ if isinstance(value, IPAddress):
            return _address(value)
        case _ if isinstance(value, IPNetwork):
            return repr(str(value))
    return repr(value)


def _address(address: IPAddress) -> str:
    family = family_of(address)
    for name, networks in (
        ("EXTERNAL_IPS", EXTERNAL_IPS),
        ("LOAD_BALANCER_IPS", LOAD_BALANCER_IPS),
    ):
        if address in networks[family]:
            number = int(address) - int(networks[family].network_address)
            return f"{name}[{family!r}][{number}]"
    return repr(str(address))


def _expected(decision: Decision) -> str:
    allowed, target = decision.allowed, _target(decision)
    connections = f"client.connect_many({target}, ATTEMPTS)"
    if not allowed.deliveries:
        words = {
            (True, False, False): "refused()",
            (False, True, False): "dropped()",
            (True, True, False): "kept_out()",
            (False, False, True): "passed_through()",
        }.get((allowed.refused, allowed.dropped, allowed.passed), "unserved()")
        return f"    expect({connections}).{words}\n"
    family = family_of(decision.attempt.target.address)
    hosts = [each.host.address(family) for each in decision.service.endpoints]
    plain = len(decision.service.ports) == 1 and not any(e.ports for e in decision.service.slices)
    places = [(hosts.index(at.address), at.port) for at in sorted(allowed.deliveries)]
    to = ", ".join(
        f"web.socket({place})"
        if plain
        else f"SocketAddress(web.endpoint({place}).host.address({family!r}), {port})"
        for place, port in places
    )
    seen = {"client": ", seen_from=client.address", "node": f", seen_from=node.address({family!r})"}
    one = next(iter(set(allowed.deliveries.values())))
    lines = [f"expect({connections}).delivered(to={{{to}}}{seen.get(one, '')})"]
    if len(allowed.deliveries) > 1 and not decision.sticky:
        lines.append(f"assert_pool({target}, {{{to}}})")
    return "".join(f"    {each}\n" for each in lines)


def _target(decision: Decision) -> str:
    frontend, at = decision.frontend, decision.attempt.target
    plain = len(decision.service.ports) == 1 and at.port == frontend.port.number
    if frontend.kind == "node-port":
        return "*web.at_node"
    if frontend.kind == "cluster-ip" and plain:
        return "*web.frontend"
    number = {frontend.port.number: "web.port", frontend.port.node_port: "web.node_port()"}
    port = number.get(at.port, str(at.port))
    if len(decision.service.ports) > 1 and at.port == frontend.port.number:
        port = str(at.port)
    address = (
        "web.cluster_ip" if frontend.kind == "cluster-ip" else _address(ip_address(str(at.address)))
    )
    return f"{address}, {port}"
