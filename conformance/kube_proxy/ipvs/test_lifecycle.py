"""IPVS mode from its start to its end: what it needs, sets, says, repairs and leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from clusters.inspection.inventory import inventory
from clusters.inspection.ipvs import Timeouts
from conformance.kube_proxy.iptables.chains import Chains
from conformance.kube_proxy.ipvs.frontends import DUMMY, PREFIX, bound, links, servers, sets
from conformance.kube_proxy.process.served import assert_served
from conformance.kube_proxy.process.starts import assert_refuses, claiming
from conformance.vocabulary import (
    BOTH,
    FAMILIES,
    Family,
    Node,
    Service,
    Services,
    World,
    arranged,
    by_time,
    docs,
    in_ipvs,
    kep,
    over,
    setting,
    source,
)

_PATIENCE = 60.0  # seconds: what happens within one or two must have happened by then
_HELPER = "/proc/sys/kernel/modprobe"
_OF_IPTABLES = "iptables chain nat/KUBE-SVC-*"
"""Chains of Services, which iptables mode alone has."""
_SYSCTLS = {
    "vs/conntrack": 1,
    "vs/expire_nodest_conn": 1,
    "vs/expire_quiescent_template": 1,
    "ip_forward": 1,
}


def ipvs_modules(node: Node) -> list[str]:
    """The loaded modules of IPVS; those that use others come before them."""
    loaded = [line.split()[0] for line in node.read("/proc/modules").splitlines()]
    return [name for name in loaded if name.startswith(("ip_vs", "xt_ipvs"))]


@contextmanager
def without_ipvs(node: Node) -> Iterator[str]:
    """While the block runs, the node's kernel has no IPVS, and cannot load it by itself; nor can a
    proxy on the PATH that this gives.
    """
    helper = node.read(_HELPER)
    script = node.proxy.directory / "modprobe"
    node.write(script, "#!/bin/sh\nexit 1\n", 0o755)
    search = node.run(["sh", "-c", "echo $PATH"]).stdout.strip()
    node.write(_HELPER, "/bin/false")
    try:
        node.run(["rmmod", *ipvs_modules(node)])
        if left := ipvs_modules(node):
            raise RuntimeError(f"modules that cannot be unloaded: {left}")
        yield f"{script.parent}:{search}"
    finally:
        node.write(_HELPER, helper)


@in_ipvs("ipvs-kernel-modules", source("pkg/proxy/ipvs/supported.go", "CanUseIPVSProxier"))
def test_refuses_a_kernel_without_ipvs(bare_node: Node) -> None:
    """Where the kernel has no IPVS and cannot load it, kube-proxy must refuse to start in IPVS mode
    and say so; where it has, the virtual server that kube-proxy tries that with must be gone
    afterwards.
    """
    with without_ipvs(bare_node) as search:
        assert_refuses(bare_node, "ipvs", "not supported", PATH=search)
    bare_node.proxy.start()
    by_time("the first sync", lambda: DUMMY in links(bare_node), _PATIENCE)
    assert not [key for key in servers(bare_node) if key[1:] == ("198.51.100.0", 20000)]


@in_ipvs("ipvs-ipset-version", source("pkg/proxy/ipvs/supported.go", "CanUseIPVSProxier"))
def test_refuses_ipset_before_6(bare_node: Node) -> None:
    """Where the program ipset is older than 6.0, kube-proxy must refuse to start in IPVS mode and
    say which version it needs.
    """
    search = claiming(bare_node, "ipset", "ipset v5.9, protocol version: 6")
    assert_refuses(bare_node, "ipset version", "5.9", "6.0", PATH=search)
    search = claiming(bare_node, "ipset", "ipset v10.0, protocol version: 6")
    bare_node.proxy.start(environment={"PATH": search})


@in_ipvs("ipvs-sysctls", source("pkg/proxy/ipvs/proxier.go", "NewProxier"))
def test_start_sets_the_sysctls_that_ipvs_needs(bare_node: Node) -> None:
    """At its start kube-proxy must set net.ipv4.vs.conntrack, expire_nodest_conn and
    expire_quiescent_template and net.ipv4.ip_forward to 1, and on a kernel since 5.9 must leave
    conn_reuse_mode as it is.
    """

    def path(name: str) -> str:
        return f"/proc/sys/net/ipv4/{name}"

    def read(name: str) -> int:
        return int(bare_node.read(path(name)))

    for name in _SYSCTLS:
        bare_node.write(path(name), "0")
    before = read("vs/conn_reuse_mode")
    bare_node.proxy.start()
    assert {name: read(name) for name in _SYSCTLS} == _SYSCTLS
    assert read("vs/conn_reuse_mode") == before


@in_ipvs(
    "life-ipvs-timeouts",
    setting("KubeProxyIPVSConfiguration.tcpTimeout, tcpFinTimeout, udpTimeout"),
)
def test_timeouts_are_set_where_they_are_configured(bare_node: Node) -> None:
    """At its start kube-proxy must set tcpTimeout, tcpFinTimeout and udpTimeout; 0, which is the
    default, must keep what the kernel has.
    """
    original = bare_node.host.ipvs.timeouts

    def set_timeouts(timeouts: Timeouts) -> None:
        bare_node.run(["ipvsadm", "--set", *map(str, timeouts)])

    set_timeouts(Timeouts(901, 121, 301))
    try:
        bare_node.proxy.start()
        assert bare_node.host.ipvs.timeouts == Timeouts(901, 121, 301)
        bare_node.proxy.restart(
            {"ipvs": {"tcpTimeout": "1000s", "tcpFinTimeout": "0s", "udpTimeout": "77s"}}
        )
        assert bare_node.host.ipvs.timeouts == Timeouts(1000, 121, 77)
        bare_node.proxy.restart({"ipvs": {"tcpFinTimeout": "2m"}})
        assert bare_node.host.ipvs.timeouts == Timeouts(1000, 120, 77)
    finally:
        set_timeouts(original)


@in_ipvs("life-ipvs-deprecated", kep(5495), docs("virtual-ips", "proxy mode ipvs"))
def test_log_tells_that_the_mode_is_deprecated(world: World) -> None:
    """In IPVS mode kube-proxy must work, and must say in its log that the mode is deprecated."""
    log = world.node.proxy.log_since(0).splitlines()
    assert [line for line in log if "ipvs" in line and "deprecated" in line], log[:20]


@in_ipvs("sync-ipvs-resync", setting("KubeProxyIPVSConfiguration.syncPeriod"))
@over(configuration={"every-two-seconds": {"ipvs": {"syncPeriod": "2s"}}})
@arranged(1)
def test_what_others_remove_is_put_back(web: Service, world: World, family: Family) -> None:
    """A virtual server, a real server, an address of kube-ipvs0 and an entry of a set that somebody
    has removed must be there again after the next periodic sync (syncPeriod), though nothing has
    changed in the API.
    """
    node, vip = world.node, web.cluster_ip
    name = f"{PREFIX[family]}CLUSTER-IP"
    key, entry = ("TCP", str(vip), web.port), f"{vip},tcp:{web.port}"

    def real_servers() -> int:
        server = servers(node).get(key)
        return len(server.real_servers) if server else 0

    losses: list[tuple[list[str], Callable[[], bool]]] = [
        (["ipvsadm", "-D", "-t", str(web.frontend)], lambda: real_servers() == 1),
        (
            ["ipvsadm", "-d", "-t", str(web.frontend), "-r", str(web.socket(0))],
            lambda: real_servers() == 1,
        ),
        (
            ["ip", "address", "delete", f"{vip}/{vip.max_prefixlen}", "dev", DUMMY],
            lambda: vip in bound(node),
        ),
        (["ipset", "del", name, entry], lambda: entry in node.host.ipset.named(name).entries),
    ]
    for command, restored in losses:
        assert restored(), f"before {' '.join(command)}"
        node.run(command)
        by_time(f"repair after {' '.join(command)}", restored, _PATIENCE)


@in_ipvs(
    "life-cleanup-ipvs", docs("kube-proxy", note="--cleanup"), source("pkg/proxy/ipvs/cleanup.go")
)
def test_cleanup_removes_everything(
    service: Services, world: World, chains: Chains, family: Family
) -> None:
    """With --cleanup, kube-proxy must remove the virtual servers, the device kube-ipvs0, its chains
    and its sets, of both families.
    """
    service(2, type="NodePort")
    proxy = world.node.proxy
    proxy.stop()

    def own_chains() -> list[str]:
        return [name for table in ("nat", "filter") for name in chains(table) if "KUBE-" in name]

    if not (servers(world.node) and bound(world.node) and own_chains()):
        raise RuntimeError("there is nothing to clean up")
    proxy.cleanup()  # how that ends is life-cleanup-ipvs-exit's matter
    assert servers(world.node) == {}
    assert DUMMY not in links(world.node)
    assert own_chains() == []
    assert sets(world.node, family) == {}


@in_ipvs(
    "life-cleanup-ipvs-exit",
    docs("kube-proxy", note="--cleanup"),
    source("cmd/kube-proxy/app/server_linux.go", "platformCleanup"),
)
@over(families=FAMILIES, protocol="TCP")
def test_cleanup_that_has_removed_everything_succeeds(service: Services, world: World) -> None:
    """With --cleanup, kube-proxy must end with exit code 0 where it has removed what IPVS mode had
    left.
    """
    service(2, type="NodePort")
    proxy = world.node.proxy
    proxy.stop()
    if not servers(world.node):
        raise RuntimeError("there is nothing to clean up")
    done = proxy.cleanup()
    assert servers(world.node) == {}
    assert done.returncode == 0, done.stderr


@in_ipvs(
    "life-switch-ipt-ipvs",
    kep(2448),
    docs("kube-proxy", note="--cleanup"),
    source("cmd/kube-proxy/app/server_linux.go", "platformCleanup"),
)
@over(families=FAMILIES, protocols=["TCP", "UDP"])
def test_services_are_served_after_a_switch_with_cleanup(
    service: Services, world: World, bare_node: Node
) -> None:
    """Where a node is switched from iptables to IPVS mode, and back, with --cleanup in between,
    nothing of the other mode must be left, and Services must be served as they are by then.
    """
    proxy = bare_node.proxy
    proxy.start({"mode": "iptables"})
    web = service(2, ports=BOTH)
    assert_served(web, world)
    for now in ("ipvs", "iptables"):
        web.set_endpoints([service.endpoint()], settle=False)
        proxy.stop()
        proxy.cleanup()
        proxy.start({"mode": now})
        world.canary.settle(syncs=2, removed=False, started=True)
        assert bool(servers(bare_node)) == (now == "ipvs")
        assert (DUMMY in links(bare_node)) == (now == "ipvs")
        assert (_OF_IPTABLES in inventory(bare_node)) == (now == "iptables")
        assert_served(web, world)
