"""What is written to the API: the bodies of Services and EndpointSlices, and when."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, cast

import pytest

from fixtures.services.services import Services, Shelf
from fixtures.world.hosts import Hosts
from specification.addresses import FAMILIES, Family, pod_cidr
from specification.places import Host
from specification.services import Endpoint, Port, Slice
from tests.engine.memory import SERVICES, SLICES, MemoryApi

if TYPE_CHECKING:
    from collections.abc import Collection

    from fixtures.world.canary import Canary
    from specification.services import Object

NODE = "the-node"


class Settled:
    """Stands in for the canary: what it was asked to wait for; and counts names."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, tuple[Family, ...], bool]] = []
        self.names = itertools.count(1)

    def settle(self, *, syncs: int, families: Collection[Family], removed: bool) -> float:
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
        NODE,
        families[0],
        options.pop("protocol", "TCP"),
        lambda: f"web-{next(settled.names)}",
        families=families,
        **options,
    )


def written(api: MemoryApi) -> dict[str, Object | None]:
    """The bodies that were posted, by name."""
    posted = [body for method, _, body in api.requests if method == "POST" and body]
    return {body["metadata"]["name"]: body for body in posted}


HERE, THERE, FAR = Host("pod", 300), Host("remote-pod", 301, 1), Host("remote-pod", 302, 2)
OUT, OTHER_NODE = Host("outside", 303), Host("remote-node", 0, 2)


@pytest.mark.parametrize("families", [("IPv4",), ("IPv6",), FAMILIES])
def test_the_plainest_service(
    api: MemoryApi, settled: Settled, families: tuple[Family, ...]
) -> None:
    web = services(api, settled, *families)([Endpoint(HERE)])
    single = {"ipFamilyPolicy": "SingleStack", "ipFamilies": list(families)}
    assert written(api) == {
        "web-1": {
            "metadata": {"name": "web-1"},
            "spec": {
                **({"ipFamilyPolicy": "RequireDualStack"} if len(families) > 1 else single),
                "ports": [{"name": "web", "port": 80, "protocol": "TCP"}],
            },
        },
        **{
            f"web-1-0-{family.lower()}": {
                "metadata": {
                    "name": f"web-1-0-{family.lower()}",
                    "labels": {"kubernetes.io/service-name": "web-1"},
                },
                "addressType": family,
                "ports": [{"name": "web", "port": 8080, "protocol": "TCP"}],
                "endpoints": [
                    {
                        "addresses": [str(pod_cidr(0, family)[300])],
                        "conditions": {"ready": True},
                        "nodeName": NODE,
                        "zone": "zone-a",
                    }
                ],
            }
            for family in families
        },
    }
    assert {path.rsplit("/", 1)[0] for path in api.objects} == {
        f"{SERVICES}/namespaces/default/services",
        f"{SLICES}/namespaces/default/endpointslices",
    }
    assert settled.asked == [(1, families, False)]
    assert web.seconds_to_settle == 0.25
    assert [str(web.cluster_ip_of(each)) for each in families] == web.object["spec"]["clusterIPs"]


ENTRIES: list[tuple[Endpoint, Object]] = [
    (Endpoint(THERE), {"conditions": {"ready": True}, "nodeName": "lab-1", "zone": "zone-a"}),
    (Endpoint(FAR), {"conditions": {"ready": True}, "nodeName": "lab-2", "zone": "zone-b"}),
    (Endpoint(OUT), {"conditions": {"ready": True}}),
    (
        Endpoint(OTHER_NODE, ready=False),
        {"conditions": {"ready": False}, "nodeName": "lab-2", "zone": "zone-b"},
    ),
    (Endpoint(HERE, ready=None), {"conditions": {}, "nodeName": NODE, "zone": "zone-a"}),
    (
        Endpoint(HERE, ready=False, serving=True, terminating=True),
        {
            "conditions": {"ready": False, "serving": True, "terminating": True},
            "nodeName": NODE,
            "zone": "zone-a",
        },
    ),
    (
        Endpoint(HERE, serving=False, terminating=False),
        {
            "conditions": {"ready": True, "serving": False, "terminating": False},
            "nodeName": NODE,
            "zone": "zone-a",
        },
    ),
    (
        Endpoint(FAR, for_zones=("zone-a", "zone-b"), for_nodes=("n",)),
        {
            "conditions": {"ready": True},
            "nodeName": "lab-2",
            "zone": "zone-b",
            "hints": {
                "forZones": [{"name": "zone-a"}, {"name": "zone-b"}],
                "forNodes": [{"name": "n"}],
            },
        },
    ),
]


@pytest.mark.parametrize(("endpoint", "expected"), ENTRIES)
def test_entries_say_what_was_asked_and_nothing_else(
    family: Family, endpoint: Endpoint, expected: Object
) -> None:
    addresses = [str(endpoint.host.address(family))]
    assert endpoint.entry(family, NODE) == {"addresses": addresses, **expected}


def test_an_entry_has_all_of_its_addresses(family: Family) -> None:
    entry = Endpoint(HERE, more_hosts=(THERE, OUT)).entry(family, NODE)
    assert entry["addresses"] == [str(host.address(family)) for host in (HERE, THERE, OUT)]


def test_ports_and_slices_are_those_asked_for(api: MemoryApi, settled: Settled) -> None:
    ports = [Port(53, 5353, "UDP", "dns", 30053), Port(80, 8080, "TCP", "web")]
    slices = [
        Slice((Endpoint(HERE), Endpoint(THERE)), (ports[0],)),
        Slice((Endpoint(FAR),), tuple(ports), ("IPv6",)),
    ]
    web = services(api, settled, *FAMILIES)(ports=ports, slices=slices, type="NodePort")
    bodies = written(api)
    assert bodies["web-1"] == {
        "metadata": {"name": "web-1"},
        "spec": {
            "ipFamilyPolicy": "RequireDualStack",
            "type": "NodePort",
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP", "nodePort": 30053},
                {"name": "web", "port": 80, "protocol": "TCP"},
            ],
        },
    }
    assert web.slice_names == ["web-1-0-ipv4", "web-1-0-ipv6", "web-1-1-ipv6"]
    assert sorted(bodies) == ["web-1", *web.slice_names]
    dns = {"name": "dns", "port": 5353, "protocol": "UDP"}
    ports_of = {name: (bodies[name] or {}).get("ports") for name in web.slice_names}
    both = [dns, {"name": "web", "port": 8080, "protocol": "TCP"}]
    assert ports_of == dict(zip(web.slice_names, [[dns], [dns], both], strict=True))
    assert (web.node_port("dns"), web.node_port()) == (30053, 30053)
    assert web.node_port("web") == web.object["spec"]["ports"][1]["nodePort"]
    assert {each.port for each in web.endpoints} == {5353}
    assert web.endpoints_of("web") == set()  # in IPv4 no slice has it
    assert len(web.endpoints_of("dns")) == 2


def test_options_are_fields_of_the_spec(api: MemoryApi, settled: Settled) -> None:
    make = services(api, settled, "IPv4", protocol="UDP")
    make(
        [],
        affinity=77,
        namespace="elsewhere",
        name="mine",
        internalTrafficPolicy="Local",
        load_balancer_ips=[OUT.address("IPv4")],
    )
    (body,) = (each for name, each in written(api).items() if name == "mine")
    assert body
    assert body["spec"] == {
        "ipFamilyPolicy": "SingleStack",
        "ipFamilies": ["IPv4"],
        "ports": [{"name": "web", "port": 80, "protocol": "UDP"}],
        "type": "LoadBalancer",
        "sessionAffinity": "ClientIP",
        "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 77}},
        "internalTrafficPolicy": "Local",
    }
    stored = api.get("services", "mine", "elsewhere")
    assert stored["status"] == {"loadBalancer": {"ingress": [{"ip": str(OUT.address("IPv4"))}]}}


def test_endpoints_are_here_and_elsewhere_in_turn(api: MemoryApi, settled: Settled) -> None:
    web = services(api, settled, "IPv4")(5)
    nodes = [endpoint.host.node_name(NODE) for endpoint in web.wanted.slices[0].endpoints]
    assert nodes == [NODE, "lab-1", "lab-2", NODE, "lab-1"]
    assert len(web.endpoints) == 5


# --- changes --------------------------------------------------------------------------------------


def test_new_endpoints_are_all_that_is_patched(api: MemoryApi, settled: Settled) -> None:
    make = services(api, settled, *FAMILIES)
    web = make([Endpoint(HERE)])
    api.requests.clear()
    web.set_endpoints([Endpoint(THERE)], syncs=2)
    web.set_endpoints([Endpoint(FAR)], target=9090, settle=False)
    assert [(method, path.rsplit("/", 1)[1]) for method, path, _ in api.requests] == [
        ("PATCH", f"web-1-0-{family.lower()}") for family in FAMILIES
    ] * 2
    assert [set(body or ()) for _, _, body in api.requests] == [{"endpoints", "ports"}] * 4
    for family in FAMILIES:
        stored = api.get("endpointslices", f"web-1-0-{family.lower()}")
        assert [each["addresses"] for each in stored["endpoints"]] == [[str(FAR.address(family))]]
        assert stored["ports"] == [{"name": "web", "port": 9090, "protocol": "TCP"}]
    assert settled.asked[1:] == [(2, FAMILIES, False)]
    assert web.endpoints == {(FAR.address("IPv4"), 9090)}
    assert web.socket(0) == (FAR.address("IPv4"), 9090)


def test_what_takes_a_frontend_away_is_said_to_the_canary(api: MemoryApi, settled: Settled) -> None:
    make = services(api, settled, "IPv4")
    web = make([Endpoint(HERE)], type="NodePort")
    steps: list[tuple[dict[str, Any], bool]] = [
        ({"externalIPs": ["198.51.100.9"]}, False),
        ({"externalIPs": ["198.51.100.10"]}, True),
        ({"sessionAffinity": "ClientIP"}, False),
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


def test_a_change_that_is_not_settled_is_remembered(api: MemoryApi, settled: Settled) -> None:
    make = services(api, settled, "IPv4")
    web, other = make.create([make.wanted(1), make.wanted(1)])
    web.delete(settle=False)
    settled.asked.clear()
    other.update(sessionAffinity="ClientIP")
    other.update(sessionAffinity="None")
    assert settled.asked == [(1, ("IPv4",), True), (1, ("IPv4",), False)]


def test_many_are_made_at_once_and_settled_once(api: MemoryApi, settled: Settled) -> None:
    make = services(api, settled, "IPv6")
    made = make.create([make.wanted(2) for _ in range(5)])
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
    api.create_all([], ["IPv6"])
    assert len(api.objects) == 2
    api.create_all([], ["IPv4"])
    assert api.objects == {}


# --- shared Services ------------------------------------------------------------------------------


def test_shared_services_are_made_once_and_kept(api: MemoryApi, settled: Settled) -> None:
    shelf = Shelf(api, room=2)
    first = services(api, settled, "IPv4", shelf=shelf)
    web = first.shared(endpoints=2)
    first.close()
    api.finish_deletions()
    second = services(api, settled, "IPv6", shelf=shelf)
    again = second.shared(endpoints=2)
    assert again.name == web.name
    assert again.cluster_ip != web.cluster_ip
    with pytest.raises(TypeError, match="is shared"):
        again.set_endpoints([])
    with pytest.raises(TypeError, match="is shared"):
        again.update(type="NodePort")
    with pytest.raises(TypeError, match="is shared"):
        again.delete()
    second.shared(endpoints=3)
    second.shared(endpoints=2)
    second.shared(endpoints=4)  # there is room for two: the one used least lately goes
    kept = {body["metadata"]["name"] for body in api.of("services")}
    assert len(kept) == 2
    assert web.name in kept
    shelf.close()
    assert api.objects == {}
