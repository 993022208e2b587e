"""The specification as the proxy of a node in memory: it decides by what the API holds, as the
specification does of the same Services, and draws by its seed.
"""

from __future__ import annotations

import socket
from collections import Counter
from dataclasses import replace
from ipaddress import ip_network
from typing import TYPE_CHECKING, cast

import pytest

from clusters.simulated.api import MemoryApi
from clusters.simulated.kernel import Deliver, Drop, Pass, Refuse
from clusters.simulated.node import SimulatedNode
from clusters.simulated.proxy import configured, decisions
from fixtures.clients.client import LabClient
from fixtures.clients.node_client import NodeClient
from fixtures.lab.lab import Lab
from fixtures.services.writes import difference
from specification.attempts import Attempt, SocketAddress
from specification.errors import UnsupportedError
from specification.outcomes import AnsweredUnseen, Delivered, Dropped, Rejected
from specification.places import Host
from specification.reading import endpoint_slice, service
from specification.rules.allowed import Allowed
from specification.services import Endpoint, Port, ServiceSpec, Slice
from tests.engine.tools import ANSWER, PORT, VIPS, Rules, client, delivery, host, specified
from tests.specification.facts import ROWS
from tests.specification.table import Case

if TYPE_CHECKING:
    from clusters.contract import Node
    from clusters.simulated.proxy import SpecifiedProxy
    from specification.addresses import Family

FACTS = dict.fromkeys(replace(row, who="") for row in ROWS)
CASES = [case for row in FACTS for case in row.cases()]
WEB = ServiceSpec("web", slices=tuple(Slice((Endpoint(Host("pod", n)),)) for n in (400, 401)))


def written(*specs: ServiceSpec) -> MemoryApi:
    """An API that holds them."""
    api = MemoryApi()
    for spec in specs:
        for write in difference(None, spec.named(spec.name), "node"):
            write.make(api)
    return api


def read(api: MemoryApi) -> tuple[ServiceSpec, ...]:
    return (
        *map(service, api.of("services")),
        *map(endpoint_slice, api.of("endpointslices")),
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_api_says_all_that_decides(case: Case) -> None:
    """Each fact of the specification, by way of the objects that stand for its Services."""
    through = replace(case, state=replace(case.state, services=read(written(*case.state.services))))
    assert through.answered == case.answered


def test_each_endpoint_is_as_likely_as_another() -> None:
    one, other, third = (host("pod", number, "IPv4") for number in (400, 401, 402))
    right = Allowed({one: "client", other: "node", third: "either"}, refused=True, dropped=True)
    attempt = Attempt("TCP", host("outside", 300, "IPv4"), SocketAddress(VIPS["IPv4"], PORT))
    node = CASES[0].state.node
    found = decisions(right, attempt, node)
    own = node.primary["IPv4"]
    assert Counter(each.endpoint for each in found if isinstance(each, Deliver)) == {
        one: 2,
        other: 2,
        third: 2,
    }
    assert {each.source for each in found if isinstance(each, Deliver)} == {None, own}
    assert {Refuse(), Drop()} < set(found)
    assert decisions(Allowed(passed=True), attempt, node) == [Pass()]
    assert decisions(Allowed(undecided="who knows"), attempt, node) == [Pass()]
    assert decisions(Allowed(), attempt, node) == [Refuse()]


def around(seed: int = 1) -> tuple[MemoryApi, SpecifiedProxy, LabClient]:
    """An API with ``WEB``, its proxy, which runs, and a pod."""
    api = written(WEB)
    proxy = specified(api, "node", seed)
    node = SimulatedNode(proxy, seed)
    proxy.join(node)
    proxy.start()
    return api, proxy, client(Lab(cast("Node", node)), "pod", "IPv4")


def vip(api: MemoryApi) -> SocketAddress:
    (spec,) = map(service, api.of("services"))
    return SocketAddress(spec.cluster_ips[0], 80)


def test_chance_is_its_seeds() -> None:
    def choices(seed: int) -> list[SocketAddress | None]:
        api, _, here = around(seed)
        return here.connect_many(*vip(api), 64).chosen

    assert choices(1) == choices(1) != choices(2)
    assert set(choices(1)) == {host("pod", number, "IPv4") for number in (400, 401)}


def test_what_is_written_is_in_force_while_it_runs() -> None:
    api, proxy, here = around()
    at = vip(api)
    assert isinstance(here.connect(*at).outcome, Delivered)
    proxy.stop()
    for name in [body["metadata"]["name"] for body in api.of("endpointslices")]:
        api.delete("endpointslices", name)
    assert isinstance(here.connect(*at).outcome, Delivered)
    proxy.start()
    assert isinstance(here.connect(*at).outcome, Rejected)


def test_flows_go_on_as_the_specification_says() -> None:
    """Connections with an endpoint that has gone; datagrams are new ones."""
    api = written(replace(WEB, ports=(Port(80), Port(80, protocol="UDP", name="datagrams"))))
    proxy = specified(api, "node")
    node = SimulatedNode(proxy)
    proxy.join(node)
    proxy.start()
    here = client(Lab(cast("Node", node)), "pod", "IPv4")
    datagrams = LabClient(here._lab, here.host, "IPv4", "UDP")
    flows = here.open(*vip(api), 8), datagrams.open(*vip(api), 8)
    api.delete("endpointslices", "web-0-ipv4")
    here.connect(*vip(api))  # which has the proxy look
    kept, moved = (each.exchange().chosen for each in flows)
    assert kept == flows[0].endpoints
    assert set(flows[1].endpoints) == set(kept) > set(moved) == {host("pod", 401, "IPv4")}


def test_it_takes_the_settings_that_the_specification_knows() -> None:
    found = configured(
        {
            "nftables": {"masqueradeAll": True},
            "clusterCIDR": "10.0.0.0/8",
            "nodePortAddresses": ["192.0.2.0/24"],
        }
    )
    assert found.masquerade_all
    assert found.pod_networks == (ip_network("10.0.0.0/8"),)
    assert found.node_port_addresses == (ip_network("192.0.2.0/24"),)
    assert configured({"nodePortAddresses": ["primary"]}).node_port_addresses is None
    with pytest.raises(UnsupportedError, match=r"has no setting ipvs\.scheduler, mode"):
        configured({"mode": "ipvs", "ipvs": {"scheduler": "lc"}})


# --- processes on the node ------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_a_process_on_the_node_is_a_client(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family, protocol: str
) -> None:
    endpoint, own = delivery("remote-pod", 256, family), node.address(family)
    with NodeClient(lab, cast("Node", node), family, protocol) as process:  # type: ignore[arg-type]
        rules.always(endpoint)
        (probe,) = process.connect_many(VIPS[family], PORT, 1)
        assert probe.endpoint == endpoint.endpoint
        assert (probe.answered, probe.source) == (True, probe.client)
        assert probe.client.address == own
        rules.always(Refuse())
        refused = process.connect(VIPS[family], PORT)
        assert refused.outcome == Rejected("port-unreachable", own)
        rules.always(ANSWER)
        assert isinstance(process.connect(VIPS[family], PORT).outcome, AnsweredUnseen)
        rules.always(Drop())
        assert process.connect(VIPS[family], PORT).outcome == Dropped()
        nobody = process.connect(own, 22).outcome
        kind = "reset" if protocol == "TCP" else "port-unreachable"
        assert nobody == Rejected(kind, own)  # type: ignore[arg-type]


def test_datagrams_of_a_process_go_out_together(
    lab: Lab, node: SimulatedNode, rules: Rules
) -> None:
    there = [delivery("pod", number, "IPv4") for number in range(400, 404)]
    rules.always(*there)
    targets = [SocketAddress(VIPS["IPv4"], PORT)] * 300
    with NodeClient(lab, cast("Node", node), "IPv4", "UDP") as process:
        sample = process.connect_to_each(targets)
    assert sample.is_answered.all()
    assert set(sample.chosen) == {each.endpoint for each in there}


def test_it_says_what_it_has_not(node: SimulatedNode) -> None:
    with pytest.raises(UnsupportedError, match="no programs: conntrack cannot be run"):
        node.run(["conntrack", "-L"])
    with pytest.raises(UnsupportedError, match="no raw sockets"):
        node.socket(socket.AF_INET, socket.SOCK_RAW, 6)
