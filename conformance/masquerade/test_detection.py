"""Masquerading by configuration: whom the proxy takes for a pod of its own."""

from __future__ import annotations

from typing import Any, Final

from clusters.node import POD_INTERFACE
from conformance.vocabulary import (
    ATTEMPTS,
    Client,
    IPAddress,
    LabClient,
    NodeClient,
    Service,
    Services,
    World,
    arranged,
    docs,
    expect,
    here_and_there,
    issue,
    over,
    requirement,
    setting,
    source,
)
from specification.addresses import CLUSTER_CIDRS

_TEST: Final = "TestInternalExternalMasquerade 'no LocalTrafficDetector'"

NOBODY: Final = {"no network of pods": {"clusterCIDR": ""}}
IPV4_ALONE: Final = {"an IPv4 network of pods": {"clusterCIDR": str(CLUSTER_CIDRS["IPv4"])}}
NODE: Final = {"NodeCIDR": {"detectLocalMode": "NodeCIDR"}}
BRIDGE: Final = {
    "BridgeInterface": {
        "detectLocalMode": "BridgeInterface",
        "detectLocal": {"bridgeInterface": POD_INTERFACE},
    }
}
PREFIX: Final = {
    "InterfaceNamePrefix": {
        "detectLocalMode": "InterfaceNamePrefix",
        "detectLocal": {"interfaceNamePrefix": "pod"},
    }
}
_ALL: Final[dict[str, Any]] = {mode: {"masqueradeAll": True} for mode in ("iptables", "nftables")}
EVERYBODY: Final = {"masqueradeAll": _ALL}
EVERYBODY_UNKNOWN: Final = {"masqueradeAll, no network of pods": {"clusterCIDR": "", **_ALL}}


@requirement(
    "masq-nodetector",
    setting("KubeProxyConfiguration.clusterCIDR"),
    source("pkg/proxy/iptables/proxier_test.go", _TEST),
    feature="detect-local",
)
@over(vantage=["pod", "outside"], protocol="TCP", configuration=NOBODY)
@arranged(here_and_there)
def test_nobody_is_a_stranger_where_no_network_is_named(
    webs: list[Service], client: Client
) -> None:
    """Where detectLocalMode is ClusterCIDR and no clusterCIDR is given, every client of a cluster
    IP must be seen at the endpoints by its own address.
    """
    for web in webs:
        probe = client.connect(*web.frontend)
        expect(probe).delivered(to=web, seen_from=client.address, reply="any")


@requirement(
    "masq-nodetector-etp",
    setting("KubeProxyConfiguration.clusterCIDR"),
    source("pkg/proxy/iptables/proxier_test.go", _TEST),
    feature="detect-local",
)
@over(protocol="TCP", configuration=NOBODY)
@arranged(["pod", "remote-pod"], external_traffic_policy="Local", exposed=True)
def test_pods_are_strangers_to_local_policy(web: Service, client: Client) -> None:
    """Where detectLocalMode is ClusterCIDR and no clusterCIDR is given, a pod that uses a nodePort,
    a load balancer IP or an external IP under externalTrafficPolicy Local must be sent to the
    node's own endpoints alone, as clients outside the cluster are.
    """
    for frontend in web.external_frontends:
        sample = client.connect_many(*frontend, ATTEMPTS)
        expect(sample).delivered(to=web.socket(0), seen_from=client.address)


@requirement(
    "masq-all-nodetector",
    source("pkg/proxy/iptables/proxier_test.go", f"{_TEST}, 'masqueradeAll'"),
    feature="masquerade-all",
)
@over(vantage=["pod", "outside"], protocol="TCP", configuration=EVERYBODY_UNKNOWN)
@arranged(here_and_there)
def test_everybody_can_be_masqueraded_whoever_is_a_pod(
    webs: list[Service], client: Client, world: World
) -> None:
    """With masqueradeAll, an endpoint must see every connection to the cluster IP come from the
    node's address, also where nothing says who is a pod.
    """
    _assert_masqueraded(webs, client, world)


@requirement(
    "masq-detect-perfamily",
    setting("KubeProxyConfiguration.clusterCIDR"),
    source("cmd/kube-proxy/app/server_linux.go", "getLocalDetectors"),
    feature="detect-local",
)
@over(
    {"family": "IPv4", "vantage": "outside", "protocol": "TCP", "configuration": IPV4_ALONE},
    {"family": "IPv6", "vantage": "outside", "protocol": "TCP", "configuration": IPV4_ALONE},
)
@arranged(here_and_there)
def test_each_family_has_its_own_network(webs: list[Service], client: Client, world: World) -> None:
    """Where the clusterCIDR has a network of IPv4 alone, strangers must be masqueraded at IPv4
    cluster IPs, and be seen by their own addresses at IPv6 ones.
    """
    own = world.node.address(client.family)
    source_seen = own if client.family == "IPv4" else client.address
    for web in webs:
        expect(client.connect(*web.frontend)).delivered(to=web, seen_from=source_seen, reply="any")


@requirement(
    "masq-detect-nodecidr",
    setting("KubeProxyConfiguration.detectLocalMode"),
    source("cmd/kube-proxy/app/server_linux.go", "getLocalDetectors"),
    feature="detect-local",
)
@over(vantage=["pod", "remote-pod"], protocol="TCP", configuration=NODE)
@arranged(here_and_there)
def test_pods_of_other_nodes_are_strangers(
    webs: list[Service], client: LabClient, world: World
) -> None:
    """With detectLocalMode NodeCIDR, pods of the node must be seen at the endpoints of a cluster IP
    by their own addresses, and pods of other nodes by the node's.
    """
    _assert_pods_of_the_node_known(webs, client, world)


@requirement(
    "masq-detect-bridge",
    setting("KubeProxyConfiguration.detectLocal.bridgeInterface"),
    source("pkg/proxy/util/localdetector_test.go", "TestDetectLocalByBridgeInterface"),
    feature="detect-local",
)
@over(vantage=["pod", "remote-pod"], protocol="TCP", configuration=BRIDGE)
@arranged(here_and_there)
def test_who_comes_over_the_bridge_is_known(
    webs: list[Service], client: LabClient, world: World
) -> None:
    """With detectLocalMode BridgeInterface, clients of a cluster IP that come over the interface of
    that name must be seen at the endpoints by their own addresses, and others by the node's.
    """
    _assert_pods_of_the_node_known(webs, client, world)


@requirement(
    "masq-detect-iface-host",
    source("pkg/proxy/util/localdetector.go", "DetectLocalByBridgeInterface"),
    feature="detect-local",
)
@over(protocol="TCP", configuration=BRIDGE)
@arranged(["remote-pod"])
def test_processes_come_over_no_interface(
    web: Service, client: Client, world: World, second_address: IPAddress
) -> None:
    """With detectLocalMode BridgeInterface, processes on the node must be seen at the endpoints of
    a cluster IP by the address of the interface that leads to them, whichever they use.
    """
    identity = client.family, client.protocol
    with NodeClient(world.lab, world.node, *identity, second_address) as process:
        probe = process.connect(*web.frontend)
    expect(probe).delivered(to=web, seen_from=world.node.address(client.family))


@requirement(
    "masq-detect-prefix",
    setting("KubeProxyConfiguration.detectLocal.interfaceNamePrefix"),
    source("pkg/proxy/util/localdetector_test.go", "TestDetectLocalByInterfaceNamePrefix"),
    issue(134024),
    feature="detect-local",
)
@over(vantage=["pod", "remote-pod"], protocol="TCP", configuration=PREFIX)
@arranged(here_and_there)
def test_who_comes_over_an_interface_with_the_prefix_is_known(
    webs: list[Service], client: LabClient, world: World
) -> None:
    """With detectLocalMode InterfaceNamePrefix, clients of a cluster IP that come over an interface
    whose name begins so must be seen at the endpoints by their own addresses, and others by the
    node's.
    """
    _assert_pods_of_the_node_known(webs, client, world)


@requirement(
    "masq-livechange-mode",
    docs("kube-proxy", note="--masquerade-all"),
    source("cmd/kube-proxy/app/server.go", "configuration is read at the start"),
    feature="masquerade-all",
)
@over(protocol="TCP", configuration=EVERYBODY)
def test_another_configuration_replaces_what_was_programmed(
    service: Services, client: Client, world: World
) -> None:
    """When the proxy starts without masqueradeAll after it ran with it, pods' connections to the
    cluster IP must no longer come from the node's address.
    """
    web = service(["remote-pod"])
    own = world.node.address(client.family)
    expect(client.connect(*web.frontend)).delivered(to=web, seen_from=own)
    world.configure(None)
    expect(client.connect(*web.frontend)).delivered(to=web, seen_from=client.address)


def _assert_pods_of_the_node_known(webs: list[Service], client: LabClient, world: World) -> None:
    if client.host.place != "pod":
        _assert_masqueraded(webs, client, world)
        return
    for web in webs:
        expect(client.connect(*web.frontend)).delivered(to=web, seen_from=client.address)


def _assert_masqueraded(webs: list[Service], client: Client, world: World) -> None:
    for web in webs:
        probe = client.connect(*web.frontend)
        expect(probe).delivered(to=web, seen_from=world.node.address(client.family))
