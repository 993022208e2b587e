"""Services in tests: what is made, changed and deleted through the API, and when it is settled."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, cast

import pytest

from clusters.simulated.api import SERVICES, SLICES, MemoryApi
from fixtures.lab.hosts import Hosts
from fixtures.services.services import Services
from specification.addresses import (
    EXTERNAL_IPS,
    FAMILIES,
    LOAD_BALANCER_IPS,
    Family,
    IPAddress,
    node_address,
)
from specification.attempts import SocketAddress
from specification.errors import RefusedError
from specification.places import Host
from specification.services import HEADLESS, SERVICE_NAME, Endpoint, Ingress, Port, Slice

if TYPE_CHECKING:
    from collections.abc import Collection

    from clusters.contract import Node
    from fixtures.services.canary import Canary

NODE = "the-node"


class OwnNode:
    """Stands in for the node under test, as far as Services ask it."""

    name = NODE

    def address(self, family: Family) -> IPAddress:
        return node_address(0, family)


class Settled:
    """Stands in for the canary: what it was asked to wait for; and counts names."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, tuple[Family, ...], bool]] = []
        self.names = itertools.count(1)

    def settle(self, *, families: Collection[Family], removed: bool, syncs: int = 1) -> float:
        self.asked.append((syncs, tuple(sorted(families)), removed))
        return 0.25


@pytest.fixture
def api() -> MemoryApi:
    return MemoryApi()


@pytest.fixture
def settled() -> Settled:
    return Settled()


def services(api: MemoryApi, settled: Settled, *families: Family, **options: Any) -> Services:
    return Services(
        api,
        cast("Canary", settled),
        Hosts(),
        cast("Node", OwnNode()),
        families[0],
        options.pop("protocol", "TCP"),
        lambda: f"web-{next(settled.names)}",
        families=families,
        **options,
    )


def requests(api: MemoryApi) -> list[str]:
    """What was asked for since the last time, but for reads: method and name, and which part."""
    asked = [
        (method, path.partition("?")[0].rsplit("/", 1)[1], *sorted(body or ()))
        for method, path, body in api.requests
        if method != "GET"
    ]
    api.requests.clear()
    return list(map(" ".join, asked))


HERE, THERE, FAR = Host("pod", 300), Host("remote-pod", 301, 1), Host("remote-pod", 302, 2)
OUT = Host("outside", 303)
EXTERNAL_IP = OUT.address("IPv4")


@pytest.mark.parametrize("families", [("IPv4",), ("IPv6",), FAMILIES])
def test_a_service_is_made_with_its_slices_and_settled(
    api: MemoryApi, settled: Settled, families: tuple[Family, ...]
) -> None:
    web = services(api, settled, *families)([Endpoint(HERE)])
    assert {path.rsplit("/", 1)[0] for path in api.objects} == {
        f"{SERVICES}/namespaces/default/services",
        f"{SLICES}/namespaces/default/endpointslices",
    }
    slices = [f"web-1-0-{family.lower()}" for family in families]
    assert [path.rsplit("/", 1)[1] for path in api.objects] == ["web-1", *slices]
    assert settled.asked == [(1, families, False)]
    assert web.seconds_to_settle == 0.25
    assert [str(web.cluster_ip_of(each)) for each in families] == web.object["spec"]["clusterIPs"]
    assert web.cluster_ips == tuple(map(web.cluster_ip_of, families))
    assert web.frontend == (web.cluster_ip, 80)


def test_options_are_fields_of_the_specification(api: MemoryApi, settled: Settled) -> None:
    make = services(api, settled, "IPv4", protocol="UDP")
    web = make([], name="mine", namespace="elsewhere", load_balancer_ips=[EXTERNAL_IP])
    assert web.spec.type == "LoadBalancer"
    assert web.spec.ports == (Port(protocol="UDP"),)
    assert web.spec.families == ("IPv4",)
    stored = api.get("services", "mine", "elsewhere")
    assert stored["status"] == {"loadBalancer": {"ingress": [{"ip": str(EXTERNAL_IP)}]}}
    with pytest.raises(TypeError, match="externalIPs"):
        make(externalIPs=[])


def test_what_a_service_leads_to_is_what_its_slices_say(api: MemoryApi, settled: Settled) -> None:
    dns, web = Port(53, 5353, "UDP", "dns", 30053), Port(80, 8080, "TCP", "web")
    slices = [
        Slice((Endpoint(HERE), Endpoint(THERE)), (dns,)),
        Slice((Endpoint(FAR),), address_types=("IPv6",)),
    ]
    made = services(api, settled, *FAMILIES)(ports=[dns, web], slices=slices, type="NodePort")
    assert (made.node_port("dns"), made.node_port()) == (30053, 30053)
    assert made.node_port("web") == made.object["spec"]["ports"][1]["nodePort"]
    assert {each.port for each in made.endpoints} == {5353}
    assert made.endpoints_of("web") == set()  # in IPv4 no slice has it
    assert made.endpoints_of("web", "IPv6") == {(FAR.address("IPv6"), 8080)}
    assert len(made.endpoints_of("dns")) == 2
    assert len(made.endpoints_of("dns", "IPv6")) == 3
    assert made.endpoint(2) == Endpoint(FAR)
    assert made.socket(1, "IPv6") == (THERE.address("IPv6"), 5353)


def test_endpoints_are_here_and_elsewhere_in_turn(api: MemoryApi, settled: Settled) -> None:
    web = services(api, settled, "IPv4")(5)
    nodes = [endpoint.host.node_name(NODE) for endpoint in web.spec.endpoints]
    assert nodes == [NODE, "lab-1", "lab-2", NODE, "lab-1"]
    assert len(web.endpoints) == 5


# --- changes --------------------------------------------------------------------------------------


def test_new_endpoints_are_all_that_is_patched(api: MemoryApi, settled: Settled) -> None:
    web = services(api, settled, *FAMILIES)([Endpoint(HERE)])
    slices = [f"PATCH web-1-0-{family.lower()}" for family in FAMILIES]
    requests(api)
    web.set_endpoints([Endpoint(THERE)], syncs=2)
    assert requests(api) == [f"{each} endpoints" for each in slices]
    assert settled.asked[1:] == [(2, FAMILIES, False)]
    web.set_endpoints([Endpoint(FAR)], annotations={"when": "now"}, settle=False)
    assert requests(api) == [f"{each} endpoints metadata" for each in slices]
    web.update(ports=[Port(target=9090)], settle=False)
    assert requests(api) == [f"{each} ports" for each in slices]
    for family in FAMILIES:
        stored = api.get("endpointslices", f"web-1-0-{family.lower()}")
        assert [each["addresses"] for each in stored["endpoints"]] == [[str(FAR.address(family))]]
        assert stored["ports"] == [{"name": "web", "port": 9090, "protocol": "TCP"}]
    assert len(settled.asked) == 2
    assert web.endpoints == {web.socket(0)} == {(FAR.address("IPv4"), 9090)}
    requests(api)
    web.become(web.spec)
    assert requests(api) == []
    assert len(settled.asked) == 3


def test_one_endpoint_is_changed_wherever_it_is_listed(api: MemoryApi, settled: Settled) -> None:
    both, other = Endpoint(HERE), Endpoint(THERE)
    slices = [Slice((other, both)), Slice((other,)), Slice((both,))]
    web = services(api, settled, "IPv4")(slices=slices)
    requests(api)
    web.change_endpoint(1, ready=False, serving=True)
    assert requests(api) == ["PATCH web-1-0-ipv4 endpoints", "PATCH web-1-2-ipv4 endpoints"]
    assert [each.ready for each in web.spec.endpoints] == [True, False, True, False]


def test_slices_come_change_and_go_by_themselves(api: MemoryApi, settled: Settled) -> None:
    web = services(api, settled, *FAMILIES)(slices=[Slice((Endpoint(HERE),)), Slice()])
    requests(api)
    web.change_slice(1, endpoints=(Endpoint(THERE),), address_types=("IPv6",))
    assert requests(api) == ["PATCH web-1-1-ipv6 endpoints", "DELETE web-1-1-ipv4"]
    web.drop_slice(0)
    assert requests(api) == ["DELETE web-1-0-ipv4", "DELETE web-1-0-ipv6"]
    web.add_slices(Slice((Endpoint(FAR),)), Slice(name="mine", address_types=("FQDN",)))
    made = ["web-1-0-ipv4", "web-1-0-ipv6", "mine-fqdn"]
    whole = "addressType endpoints metadata ports"
    assert requests(api) == [f"POST endpointslices {whole}"] * 3
    assert all(api.get("endpointslices", name) for name in made)
    with pytest.raises(ValueError, match="web-1 has 3 slices: use change_slice"):
        web.set_endpoints([])


@pytest.mark.parametrize("change", [{"service_name": None}, {"labels": {HEADLESS: ""}}])
def test_a_slice_that_is_labelled_otherwise_leaves_its_service(
    api: MemoryApi, settled: Settled, change: dict[str, Any]
) -> None:
    web = services(api, settled, "IPv4")(slices=[Slice((Endpoint(HERE),)), Slice((Endpoint(FAR),))])
    requests(api)
    web.change_slice(0, **change)
    assert requests(api) == ["PATCH web-1-0-ipv4 metadata"]
    assert web.endpoints == {web.socket(1)}
    web.delete()
    assert api.objects == {}


def test_a_slice_can_change_sides(api: MemoryApi, settled: Settled) -> None:
    make = services(api, settled, "IPv4")
    left, right = make.create([make.spec([Endpoint(HERE)]), make.spec([Endpoint(FAR)])])
    left.change_slice(0, service_name=right.name)
    assert left.endpoints == set()
    assert right.endpoints == {(host.address("IPv4"), 8080) for host in (HERE, FAR)}
    assert api.get("endpointslices", "web-1-0-ipv4")["metadata"]["labels"] == {
        SERVICE_NAME: "web-2"
    }


def test_slices_can_be_there_without_their_service(api: MemoryApi, settled: Settled) -> None:
    make = services(api, settled, "IPv4")
    (web,) = make.create([make.spec([Endpoint(HERE)], slices_only=True)])
    assert list(api.of("services")) == []
    assert settled.asked.pop() == (1, ("IPv4",), False)
    web.update(slices_only=False)
    address = web.cluster_ip
    assert settled.asked.pop() == (1, ("IPv4",), False)
    web.update(slices_only=True)
    assert settled.asked.pop() == (1, ("IPv4",), True)
    assert len(api.objects) == 1
    web.update(slices_only=False, cluster_ips=[address])
    assert api.get("services", "web-1")["spec"]["clusterIPs"] == [str(address)]
    make.close()
    api.finish_deletions()
    assert api.objects == {}


def test_addresses_of_a_load_balancer_can_be_changed(api: MemoryApi, settled: Settled) -> None:
    web = services(api, settled, "IPv4")(0, type="LoadBalancer")
    requests(api)
    web.update(load_balancer_ips=[EXTERNAL_IP, Ingress(EXTERNAL_IP, "Proxy")])
    assert requests(api) == ["PATCH status status"]
    ingress = api.get("services", "web-1")["status"]["loadBalancer"]["ingress"]
    assert ingress == [
        {"ip": str(EXTERNAL_IP)},
        {"ip": str(EXTERNAL_IP), "ipMode": "Proxy"},
    ]
    assert settled.asked.pop() == (1, ("IPv4",), False)
    web.update(load_balancer_ips=[])
    assert "ingress" not in api.get("services", "web-1")["status"].get("loadBalancer", {})
    assert settled.asked.pop() == (1, ("IPv4",), True)


def test_what_takes_a_frontend_away_is_said_to_the_canary(api: MemoryApi, settled: Settled) -> None:
    web = services(api, settled, "IPv4")([Endpoint(HERE)], type="NodePort")
    steps: list[tuple[dict[str, Any], bool]] = [
        ({"external_ips": ["198.51.100.9"]}, False),
        ({"external_ips": ["198.51.100.10"]}, True),
        ({"session_affinity": "ClientIP"}, False),
        ({"type": "ClusterIP"}, True),
    ]
    for change, removed in steps:
        settled.asked.clear()
        web.update(**change)
        assert settled.asked == [(1, ("IPv4",), removed)], change
    settled.asked.clear()
    web.delete()
    assert settled.asked == [(1, ("IPv4",), True)]
    assert api.objects == {}


def test_a_second_family_is_settled_too(api: MemoryApi, settled: Settled) -> None:
    web = services(api, settled, "IPv4")([Endpoint(HERE)])
    web.update(families=FAMILIES)
    assert settled.asked[1:] == [(1, FAMILIES, False)]
    web.update(families=["IPv4"])
    assert settled.asked[2:] == [(1, FAMILIES, True)]


def test_what_the_api_server_refuses_is_said_in_its_words(api: MemoryApi, settled: Settled) -> None:
    make = services(api, settled, "IPv4")
    make(1, name="mine")
    with pytest.raises(RefusedError, match="services/mine already exists"):
        make(1, name="mine")


def test_a_change_that_is_not_settled_is_remembered(api: MemoryApi, settled: Settled) -> None:
    make = services(api, settled, "IPv4")
    web, other = make.create([make.spec(1), make.spec(1)])
    web.delete(settle=False)
    settled.asked.clear()
    other.update(session_affinity="ClientIP")
    other.update(session_affinity="None")
    assert settled.asked == [(1, ("IPv4",), True), (1, ("IPv4",), False)]


def test_many_are_made_at_once_and_settled_once(api: MemoryApi, settled: Settled) -> None:
    make = services(api, settled, "IPv6")
    made = make.create([make.spec(2) for _ in range(5)])
    assert [web.name for web in made] == [f"web-{number}" for number in range(1, 6)]
    assert len(settled.asked) == 1
    assert len({web.cluster_ip for web in made}) == 5
    assert all(web.cluster_ip.version == 6 for web in made)


def test_what_is_left_is_deleted_with_the_next_that_is_made(
    api: MemoryApi, settled: Settled
) -> None:
    """A proxy then handles both at once; of another family it is left in peace."""
    make = services(api, settled, "IPv4")
    make(1)
    make.close()
    assert len(api.objects) == 2
    services(api, settled, "IPv6")(slices=[])
    assert len(api.objects) == 3
    services(api, settled, "IPv4")(slices=[])
    assert [each["metadata"]["name"] for each in api.of("services")] == ["web-2", "web-3"]
    assert api.of("endpointslices") == []
    api.requests.clear()
    api.finish_deletions()
    assert api.requests == []


@pytest.mark.parametrize("family", FAMILIES)
def test_frontends_are_all_that_clients_can_send_to(
    api: MemoryApi, settled: Settled, family: Family
) -> None:
    made = services(api, settled, family)
    port = Port(81, node_port=30_333)
    node = SocketAddress(node_address(0, family), 30_333)
    inner = made(1, ports=[port])
    assert inner.external_frontends == []
    assert inner.frontends == [inner.frontend]
    outer = made(1, ports=[port], type="NodePort")
    assert outer.at_node == node
    assert outer.frontends == [outer.frontend, node]
    every = made(1, ports=[port], families=FAMILIES, exposed=True)
    first, second, balancer, external = every.frontends
    assert (first, second) == (every.frontend, node)
    assert balancer.address in LOAD_BALANCER_IPS[family]
    assert external.address in EXTERNAL_IPS[family]
    assert balancer.port == external.port == 81
    other = made(1, exposed=True)
    assert not {each.address for each in other.frontends[2:]} & {balancer.address, external.address}


def test_places_name_fresh_endpoints_on_the_other_nodes_in_turn(
    api: MemoryApi, settled: Settled
) -> None:
    made = services(api, settled, "IPv4").spec(["pod", "remote-pod", "remote-pod", "outside"])
    assert [(each.host.place, each.host.node) for each in made.endpoints] == [
        ("pod", 0),
        ("remote-pod", 1),
        ("remote-pod", 2),
        ("outside", 0),
    ]
