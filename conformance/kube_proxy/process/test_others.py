"""What others have programmed on the node, as kube-proxy starts, works, and cleans up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from conformance.kube_proxy.iptables.chains import TOOL
from conformance.vocabulary import (
    FAMILIES,
    Node,
    Services,
    docs,
    kep,
    over,
    requirement,
    source,
)

_PLUGIN: Final = """\
*{table}
:SOMEBODYS-CHAIN - [0:0]
-I {hook} -m mark --mark 0xa0000000 -j SOMEBODYS-CHAIN
-A SOMEBODYS-CHAIN -m comment --comment "kubernetes service portals" -j RETURN
COMMIT
"""
"""What a network plugin may have in a table; no packet of a test has this mark."""

_UNDONE: Final = (
    "-D {hook} -m mark --mark 0xa0000000 -j SOMEBODYS-CHAIN",
    "-F SOMEBODYS-CHAIN",
    "-X SOMEBODYS-CHAIN",
)
_HOOKS: Final = {"nat": "PREROUTING", "filter": "FORWARD", "mangle": "FORWARD"}

_KUBELETS: Final = (
    ("nat", "KUBE-KUBELET-CANARY"),
    ("filter", "KUBE-KUBELET-CANARY"),
    ("mangle", "KUBE-KUBELET-CANARY"),
    ("mangle", "KUBE-IPTABLES-HINT"),
)
"""Chains by which the kubelet notices that somebody has flushed a table, and tells plugins which
variant of iptables it is (KEP-3178).
"""

_TABLE: Final = """
table inet somebodys-table {
    set addresses { type ipv4_addr; elements = { 203.0.113.200 } }
    chain services { type filter hook forward priority 5; ip daddr @addresses return; }
}
"""
_SET: Final = "create SOMEBODYS-SET hash:ip\nadd SOMEBODYS-SET 203.0.113.201\n"


_THEIRS: Final = ("SOMEBODYS-CHAIN", "KUBE-IPTABLES-HINT", "somebodys-table", "SOMEBODYS-SET")


@contextmanager
def _others(node: Node) -> Iterator[list[str]]:
    """While the block runs there are chains, a table and a set of somebody else's on the node; what
    is seen of them.
    """
    with ExitStack() as undone:

        def undo(command: str) -> None:
            undone.callback(node.run, command.split(), check=False)  # whatever is left of it

        undo("nft delete table inet somebodys-table")
        node.run(["nft", "-f", "-"], input=_TABLE)
        undo("ipset destroy SOMEBODYS-SET")
        node.run(["ipset", "restore"], input=_SET)
        for tool in TOOL.values():
            for table, hook in _HOOKS.items():
                for command in reversed(_UNDONE):
                    undo(f"{tool} -w -t {table} {command.format(hook=hook)}")
                plugin = _PLUGIN.format(table=table, hook=hook)
                node.run([f"{tool}-restore", "-w", "--noflush"], input=plugin)
            for table, chain in _KUBELETS:  # a node with a kubelet has them
                if not node.run([tool, "-w", "-t", table, "-N", chain], check=False).returncode:
                    undo(f"{tool} -w -t {table} -X {chain}")
        seen = _seen(node)
        if missing := [each for each in _THEIRS if each not in "\n".join(seen)]:
            raise RuntimeError(f"not to be seen: {missing}")
        yield seen


def _seen(node: Node) -> list[str]:
    """All of theirs that is there, in its order."""
    names = ("SOMEBODYS-CHAIN", *(chain for _, chain in _KUBELETS))
    lines = [
        f"{tool} {table}: {line}"
        for tool in TOOL.values()
        for table in _HOOKS
        for line in node.run([f"{tool}-save", "-t", table]).stdout.splitlines()
        if any(name in line for name in names)
    ]
    shown = "nft list table inet somebodys-table", "ipset save SOMEBODYS-SET"
    for command in shown:
        lines += node.run(command.split(), check=False).stdout.splitlines()
    return lines


@requirement(
    "life-foreign-rules",
    kep(3866),
    kep(3178),
    source("pkg/kubelet/kubelet_network_linux.go"),
    feature="kube-proxy-modes",
)
@over(families=FAMILIES, protocol="TCP")
def test_what_others_have_programmed_stays(service: Services, bare_node: Node) -> None:
    """When it starts, and as it programs Services, kube-proxy must leave chains, tables and sets
    that are somebody else's as they are, and those of the kubelet, too.
    """
    with _others(bare_node) as before:
        bare_node.proxy.start()
        service(2, exposed=True).set_endpoints([service.endpoint()])
        assert _seen(bare_node) == before


@requirement(
    "life-cleanup-foreign",
    docs("kube-proxy", note="--cleanup"),
    source("cmd/kube-proxy/app/server_linux.go", "platformCleanup"),
    feature="kube-proxy-modes",
)
@over(families=FAMILIES, protocol="TCP")
def test_cleanup_leaves_what_others_have_programmed(service: Services, bare_node: Node) -> None:
    """With --cleanup, kube-proxy must leave chains, tables and sets that are somebody else's as
    they are, and those of the kubelet, too.
    """
    bare_node.proxy.start()
    service(2, exposed=True)
    bare_node.proxy.stop()
    with _others(bare_node) as before:
        bare_node.proxy.cleanup()
        assert bare_node.proxy.modes_in_kernel() == set(), "nothing is cleaned up"
        assert _seen(bare_node) == before
