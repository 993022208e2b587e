"""iptables comes in two variants, which write into different tables of the kernel."""

from __future__ import annotations

from typing import Final

import pytest

from conformance.kube_proxy.iptables.chains import OWN
from conformance.kube_proxy.process.conftest import started_by_the_suite
from conformance.kube_proxy.process.served import assert_served
from conformance.kube_proxy.process.starts import in_front
from conformance.kube_proxy.process.supervised import ended_at_once
from conformance.vocabulary import (
    BOTH,
    FAMILIES,
    Node,
    Services,
    World,
    docs,
    in_iptables,
    man,
    over,
)
from specification.errors import UnsupportedError

__all__ = ["started_by_the_suite"]

_PROGRAMS: Final = [
    f"{program}{part}"
    for program in ("iptables", "ip6tables")
    for part in ("", "-save", "-restore")
]


def _of(variant: str, program: str) -> str:
    """The program by which that variant does what ``program`` does."""
    return program.replace("tables", f"tables-{variant}")


def _own(node: Node, variant: str) -> list[str]:
    """Lines about chains of kube-proxy's in the tables of a variant that it looks after."""
    return [
        line
        for program in ("iptables-save", "ip6tables-save")
        for table in ("nat", "filter")
        for line in node.run([_of(variant, program), "-t", table]).stdout.splitlines()
        if OWN.search(line)
    ]


@in_iptables(
    "ipt-backend-agnostic",
    docs("virtual-ips", "proxy mode iptables"),
    man("xtables-nft", "iptables-nft and iptables-legacy"),
)
@over(families=FAMILIES, protocols=["TCP", "UDP"])
@pytest.mark.parametrize("variant", ["legacy", "nft"])
def test_either_variant_does(
    service: Services, world: World, bare_node: Node, variant: str
) -> None:
    """Whichever variant of iptables a node has, legacy or nf_tables, kube-proxy must serve Services
    by it alone, and by --cleanup must remove from its tables what it has put there.
    """
    other = {"legacy": "nft", "nft": "legacy"}[variant]
    tried = bare_node.run([_of(variant, "iptables"), "-t", "nat", "-S"], check=False)
    if tried.returncode:
        raise UnsupportedError(f"the node has no iptables of variant {variant}: {tried.stderr}")
    before = _own(bare_node, other)
    scripts = {each: f'exec {_of(variant, each)} "$@"' for each in _PROGRAMS}
    search = in_front(bare_node, bare_node.proxy.directory / "variant", scripts)
    bare_node.proxy.start(environment={"PATH": search})
    web = service(2, ports=BOTH)
    assert_served(web, world)
    web.set_endpoints([service.endpoint()])
    assert_served(web, world)
    assert _own(bare_node, variant)
    assert _own(bare_node, other) == before
    bare_node.proxy.stop()
    assert ended_at_once(bare_node, "--cleanup", environment={"PATH": search}) == 0
    left = [each for each in _own(bare_node, variant) if "KUBE-PROXY-CANARY" not in each]
    assert not left, left
