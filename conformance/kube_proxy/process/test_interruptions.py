"""kube-proxy killed while it programs the node, and what it keeps over thousands of changes."""

from __future__ import annotations

from functools import partial
from typing import Final

from conformance.kube_proxy.process.served import assert_served
from conformance.kube_proxy.process.starts import in_front
from conformance.vocabulary import (
    BOTH,
    FAMILIES,
    Node,
    Service,
    Services,
    World,
    arranged,
    by_time,
    over,
    requirement,
    source,
)

_SOON: Final = 240.0  # seconds after which a change should be written, or something given back
_WRITERS: Final = {
    "nft": '"-f -"',
    "iptables-restore": "*",
    "ip6tables-restore": "*",
}
"""The programs by which kube-proxy changes rules, and how they are called then."""

_SCRIPT: Final = """
case "$*" in
    {arguments})
        if [ -e {folder}/before ]; then : > {folder}/held; exec sleep 86400; fi
        REAL "$@"
        code=$?
        if [ -e {folder}/after ]; then : > {folder}/held; exec sleep 86400; fi
        exit $code ;;
esac
exec REAL "$@"
"""


def _holding(node: Node) -> tuple[str, str]:
    """A folder, and a PATH on which what writes rules stays for good before that while there is a
    file ``before`` in the folder, or after it while there is one ``after``; ``held`` is there then.
    """
    folder = node.proxy.directory / "held-writers"
    scripts = {
        program: _SCRIPT.format(arguments=arguments, folder=folder)
        for program, arguments in _WRITERS.items()
    }
    return str(folder), in_front(node, folder, scripts)


@requirement(
    "life-kill9-midsync",
    source("pkg/proxy/iptables/proxier.go", "one iptables-restore writes all of a family"),
    source("pkg/proxy/nftables/proxier.go", "one transaction writes all of a family"),
    feature="kube-proxy-modes",
)
@over(families=FAMILIES, protocols=["TCP", "UDP"])
@arranged(lambda service: [service.spec(1, ports=BOTH) for _ in range(2)])
def test_killed_while_it_writes(service: Services, webs: list[Service], world: World) -> None:
    """When kube-proxy is killed as it is about to write rules, or has just written those of one
    family, a Service that has not changed must be served as before; and one that has must be served
    as it is by then once kube-proxy is back.
    """
    steady, changed = webs
    node, proxy = world.node, world.node.proxy
    folder, search = _holding(node)
    for moment in ("before", "after"):
        proxy.stop()
        proxy.start(environment={"PATH": search})
        service.settle()
        node.write(f"{folder}/{moment}", "")
        changed.set_endpoints([service.endpoint()], settle=False)
        by_time("it writes", partial(_exists, node, f"{folder}/held"), _SOON)
        proxy.kill()
        assert_served(steady, world)
        node.run(["rm", f"{folder}/{moment}", f"{folder}/held"])
        proxy.start()
        service.settle()
        assert_served(steady, world)
        assert_served(changed, world)


def _exists(node: Node, path: str) -> bool:
    return node.run(["sh", "-c", f"[ -e {path} ]"], check=False).returncode == 0


_MANY: Final = 12
_ROUNDS: Final = 3
_CONNECTIONS: Final = 5
"""So many more files than before, or fewer, may be open for other reasons: connections to the API
server, pipes of the programs that it runs.
"""


@requirement(
    "life-resource-leak",
    source("pkg/proxy/servicechangetracker_test.go", "TestServiceCacheLeaks"),
    source("pkg/proxy/healthcheck/service_health.go", "closeAll"),
    feature="kube-proxy-modes",
)
@over(families=FAMILIES, protocol="TCP")
def test_nothing_is_kept_of_services_that_are_gone(service: Services, world: World) -> None:
    """After many Services with a healthCheckNodePort have come and gone, kube-proxy must have no
    more files open, and no more goroutines, than before.
    """
    specs = [
        service.spec(2, type="LoadBalancer", external_traffic_policy="Local") for _ in range(_MANY)
    ]
    proxy = world.node.proxy

    def kept() -> tuple[float, float]:
        found = proxy.metrics()
        return found["process_open_fds"], found["go_goroutines"]

    world.cluster.api.finish_deletions()
    service.settle(removed=True, syncs=2)
    files, routines = kept()

    def opened() -> bool:
        return kept()[0] >= files + _MANY - _CONNECTIONS

    for _ in range(1 if world.node.system.emulated else _ROUNDS):
        webs = service.create(specs)
        by_time(f"files are open beside {files:.0f}", opened, _SOON)
        for web in webs:
            web.delete(settle=False)
        service.settle(removed=True, syncs=2)

    def given_back() -> bool:
        now_files, now_routines = kept()
        return now_files <= files + _CONNECTIONS and now_routines <= routines + 2 * _CONNECTIONS

    by_time(f"all given back of {files, routines}", given_back, _SOON)
