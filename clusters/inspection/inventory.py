"""What stands in a node's kernel that somebody who moves packets may have put there, by kind."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clusters.contract import Node

_SCRIPT: Final = """
for tool in iptables ip6tables; do echo "@$tool"; $tool-save; done 2>/dev/null
echo @nft; nft list tables 2>/dev/null
echo @ipset; ipset list -n 2>/dev/null
echo @ipvs; ipvsadm -Sn 2>/dev/null
echo @link; ip -o link show
echo @address; ip -o address show
echo @sysctl
cd /proc/sys/net
for path in ipv[46]/* ipv4/vs/* ipv[46]/conf/*/* netfilter/* bridge/*; do
    [ -f "$path" ] && read -r value <"$path" && echo "$path:$value"
done 2>/dev/null
true
"""

_COUNTERS: Final = re.compile(r"nf_conntrack_count|stable_secret|/random|_pressure|fib_notify")
"""Sysctls that tell what there is, and say nothing of how it is set up."""
_HASH: Final = re.compile(r"(?<=-)[A-Z2-7]{16}\b")
_OF_IPTABLES: Final = {"raw", "mangle", "nat", "filter", "security"}
"""Tables of nftables in which iptables keeps its own: told by its own tools."""


def inventory(node: Node) -> Counter[str]:
    """How many there are of each kind: chains (those that are named by a hash are one kind), rules
    that lead from a built-in chain elsewhere, tables, sets, virtual servers, links, addresses, and
    sysctls with their values.
    """
    found, section = Counter[str](), ""
    table = ""
    for line in node.run(["sh", "-c", _SCRIPT]).stdout.splitlines():
        if line.startswith("@"):
            section = line[1:]
        elif line.startswith("*"):
            table = line[1:]
        else:
            found.update(_kinds(section, table, line))
    return found


def _kinds(section: str, table: str, line: str) -> Iterator[str]:
    """What a line speaks of."""
    words = line.split()
    match section, words:
        case (("iptables" | "ip6tables"), [name, "-", *_]) if name.startswith(":"):
            yield f"{section} chain {table}/{_HASH.sub('*', name[1:])}"
        case (("iptables" | "ip6tables"), ["-A", chain, *_, "-j", target]) if chain.isupper():
            if "-" not in chain:  # built in
                yield f"{section} rule {table}/{chain} to {target}"
        case "nft", ["table", family, name]:
            if name not in _OF_IPTABLES:
                yield f"nftables table {family} {name}"
        case "ipset", [name]:
            yield f"ipset {name}"
        case "ipvs", ["-A", *_]:
            yield "IPVS virtual server"
        case "ipvs", ["-a", *_]:
            yield "IPVS real server"
        case "link", [_, name, *_]:
            yield f"link {name.strip(':').partition('@')[0]}"
        case "address", [_, name, ("inet" | "inet6") as kind, *_]:
            yield f"{kind} address on {name}"
        case "sysctl", _:
            path, _, value = line.partition(":")
            if not _COUNTERS.search(path):
                yield f"sysctl net/{path} = {' '.join(value.split())}"


def left_behind(now: Counter[str], without: Counter[str]) -> Counter[str]:
    """What there is ``now`` of kinds, or values, that there are none of ``without`` whoever was
    there before.

    Raises:
        LookupError: nothing was seen ``now``, not even the loopback link.
    """
    if not now:
        raise LookupError("an inventory has nothing in it: nobody has looked")
    return Counter({kind: count for kind, count in now.items() if kind not in without})
