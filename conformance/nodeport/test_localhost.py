"""NodePorts at loopback addresses, for processes on the node."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

from clusters.implementation import OWN_ADDRESSES
from conformance.vocabulary import (
    LOOPBACK,
    Family,
    IPAddress,
    NodeClient,
    Probe,
    Protocol,
    Service,
    Services,
    ServiceSpec,
    World,
    arranged,
    docs,
    e2e,
    expect,
    in_iptables,
    kep,
    node_ports_here_and_there,
    over,
    requirement,
    setting,
    source,
)

_LOCALHOST: Final = LOOPBACK["IPv4"]
_UNLISTED: Final = {"not listed": {"nodePortAddresses": list(OWN_ADDRESSES.values())}}
_TEST: Final = source("pkg/proxy/iptables/proxier_test.go", "TestNodePorts")


def _from_itself(
    world: World, family: Family, protocol: Protocol, address: IPAddress, port: int
) -> Probe:
    """What becomes of a connection of a process to a loopback address, from the same address."""
    with NodeClient(world.lab, world.node, family, protocol, address) as process:
        return process.connect(address, port)


def _under_each_policy(service: Services) -> list[ServiceSpec]:
    """With an endpoint here and elsewhere, and elsewhere alone under each policy Local."""
    return [
        *node_ports_here_and_there(service),
        service.spec(["remote-pod"], type="NodePort", external_traffic_policy="Local"),
        service.spec(["remote-pod"], type="NodePort", internal_traffic_policy="Local"),
    ]


@requirement(
    "np-localhost-ipt",
    docs("virtual-ips", "iptables.localhostNodePorts"),
    e2e("kube_proxy", "update metric for tracking accepted packets destined for localhost"),
    _TEST,
    source("pkg/proxy/iptables/proxier_test.go", "TestExternalTrafficPolicyLocal"),
    feature="localhost-node-ports",
)
@over(family="IPv4")
@arranged(_under_each_policy)
def test_localhost_serves(
    webs: list[Service], world: World, family: Family, protocol: Protocol
) -> None:
    """The connection of a process on the node to a nodePort at 127.0.0.1 must be sent to an
    endpoint, whatever the traffic policies, which must see it come from the node's address.
    """
    own = world.node.address(family)
    for web in webs:
        probe = _from_itself(world, family, protocol, _LOCALHOST, web.node_port())
        expect(probe).delivered(to=web, seen_from=own)


@in_iptables("np-127-other", source("pkg/proxy/iptables/proxier.go", "addrtype LOCAL"), _TEST)
@over(family="IPv4", protocol="TCP")
@arranged(type="NodePort", shared=True)
def test_all_of_the_loopback_network_serves(
    web: Service, world: World, family: Family, protocol: Protocol
) -> None:
    """A nodePort must be served at every address of 127.0.0.0/8, as at 127.0.0.1."""
    address = ip_address("127.1.2.3")
    probe = _from_itself(world, family, protocol, address, web.node_port())
    expect(probe).delivered(to=web, seen_from=world.node.address(family))


@requirement(
    "np-localhost-nft-never",
    kep(3866),
    docs("virtual-ips", "proxy mode nftables"),
    feature="no-localhost-node-ports",
)
@over(family="IPv4")
@arranged(type="NodePort", shared=True)
def test_localhost_does_not_serve(
    web: Service, world: World, family: Family, protocol: Protocol
) -> None:
    """Where nothing is configured, a nodePort must not be served at 127.0.0.1."""
    expect(_from_itself(world, family, protocol, _LOCALHOST, web.node_port())).refused()


@requirement("np-localhost-v6-never", docs("virtual-ips", "iptables.localhostNodePorts"), _TEST)
@over(family="IPv6")
@arranged(type="NodePort", shared=True)
def test_loopback_address_of_ipv6_does_not_serve(
    web: Service, world: World, family: Family, protocol: Protocol
) -> None:
    """Where nothing is configured, a nodePort must not be served at ::1."""
    expect(_from_itself(world, family, protocol, LOOPBACK["IPv6"], web.node_port())).refused()


@requirement(
    "np-localhost-off",
    setting("KubeProxyIPTablesConfiguration.localhostNodePorts"),
    _TEST,
    feature="localhost-node-ports",
)
@over(
    family="IPv4",
    protocol="TCP",
    configuration={"not at localhost": {"iptables": {"localhostNodePorts": False}}},
)
@arranged(type="NodePort")
def test_localhost_need_not_serve(
    web: Service, world: World, family: Family, protocol: Protocol
) -> None:
    """With localhostNodePorts off, a nodePort must not be served at 127.0.0.1."""
    expect(_from_itself(world, family, protocol, _LOCALHOST, web.node_port())).refused()


@requirement(
    "np-localhost-ipt-unlisted",
    setting("KubeProxyConfiguration.nodePortAddresses"),
    setting("KubeProxyIPTablesConfiguration.localhostNodePorts"),
    source("pkg/proxy/iptables/proxier.go", "ContainsIPv4Loopback"),
    feature="localhost-node-ports",
)
@over(family="IPv4", protocol="TCP", configuration=_UNLISTED)
@arranged(type="NodePort")
def test_localhost_serves_where_it_is_listed_alone(
    web: Service, world: World, family: Family, protocol: Protocol
) -> None:
    """Where nodePortAddresses lists no loopback address, a nodePort must not be served at
    127.0.0.1, though localhostNodePorts is on.
    """
    with NodeClient(world.lab, world.node, family, protocol) as process:
        expect(process.connect(*web.at_node)).delivered(to=web)
    expect(_from_itself(world, family, protocol, _LOCALHOST, web.node_port())).refused()
