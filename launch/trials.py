"""Shell snippets that show whether kernel and tools can do what a mode of kube-proxy needs.

They run in a sandbox. The rules are those that kube-proxy writes, one of each kind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Trial:
    """A snippet that exits 0 when the machine can do it; otherwise its last line says why not."""

    name: str
    shows: str
    snippet: str
    modes: tuple[str, ...]
    remedy: str


IP_VS = "IP_VS"
"""The trial that need not succeed where a virtual machine can be had."""

_ALL = ("iptables", "nftables", "ipvs")
_NO_MODULES = "as root: modprobe {}; or boot a distribution's kernel"

_VETH = """
ip link add kpc0 type veth peer name kpc1 && ip link set kpc0 up && ip link set kpc1 up
ip address add 192.0.2.1/24 dev kpc0
"""
_IPV6 = """
ip -6 address add 2001:db8::1/64 dev kpc0 nodad
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
"""
_NFT = """
nft -f - <<'END'
table {family} kpc {{
  map services {{ type {address} . inet_proto . inet_service : verdict; }}
  set affinity {{ type {address}; flags dynamic,timeout; timeout 3h; }}
  chain endpoint1 {{
    update @affinity {{ {family} saddr }}
    meta l4proto tcp dnat to {destination}
  }}
  chain endpoint2 {{ meta l4proto udp dnat to {destination}; }}
  chain service {{
    {family} saddr @affinity goto endpoint1
    numgen random mod 2 vmap {{ 0 : goto endpoint1, 1 : goto endpoint2 }}
  }}
  chain refuse {{ reject; }}
  chain prerouting {{
    type nat hook prerouting priority dstnat
    {family} daddr . meta l4proto . th dport vmap @services
    fib daddr type local meta mark set mark or 0x4000
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat
    meta mark & 0x4000 == 0x4000 masquerade fully-random
  }}
  chain forward {{
    type filter hook forward priority filter
    ct state new jump refuse
  }}
}}
END
"""
_IPTABLES = """
{tool} --noflush <<'END'
*nat
:KPC - [0:0]
-A KPC -m comment --comment "one" -m statistic --mode random --probability 0.5 -j RETURN
-A KPC -m recent --name KPC --rcheck --seconds 10800 --reap -j RETURN
-A KPC -p tcp -m tcp -m recent --name KPC --set -j DNAT --to-destination {destination}
-A KPC -m addrtype --dst-type LOCAL -j MARK --or-mark 0x4000
-A KPC -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KPC -j MASQUERADE --random-fully
COMMIT
*filter
:KPC - [0:0]
-A KPC -m conntrack --ctstate INVALID -j DROP
-A KPC -p udp -m udp --dport 53 -j REJECT
COMMIT
END
"""

_FAMILIES = (
    ("IPv4", "ip", "ipv4_addr", "192.0.2.7:80"),
    ("IPv6", "ip6", "ipv6_addr", "[2001:db8::7]:80"),
)

TRIALS = (
    Trial("veth", "veth pairs", _VETH, _ALL, _NO_MODULES.format("veth")),
    Trial("IPv6", "addresses and forwarding", _IPV6, _ALL, "boot without ipv6.disable=1"),
    *(
        Trial(
            f"nftables, {name}",
            "maps, numgen, dnat, masquerade, reject",
            _NFT.format(family=family, address=address, destination=destination),
            ("nftables",),
            _NO_MODULES.format(
                "nf_tables nft_chain_nat nft_numgen nft_masq nft_reject nft_fib_inet"
            ),
        )
        for name, family, address, destination in _FAMILIES
    ),
    *(
        Trial(
            f"{family}tables",
            "statistic, recent, conntrack, marks, masquerade",
            _IPTABLES.format(tool=f"{family}tables-restore", destination=destination),
            ("iptables", "ipvs"),
            _NO_MODULES.format(
                f"{family}table_nat nft_compat xt_statistic xt_recent xt_conntrack xt_mark"
            ),
        )
        for _, family, _, destination in _FAMILIES
    ),
    Trial(
        IP_VS,
        "in the kernel, with dummy interfaces",
        "{ ipvsadm -Ln >/dev/null && ip link add kube-ipvs0 type dummy; } 2>/dev/null ||"
        " { echo 'not in this kernel'; false; }",
        ("ipvs",),
        _NO_MODULES.format("ip_vs dummy") + "; or install qemu-system-x86: ./conform does",
    ),
)


def script() -> str:
    """A shell script that runs every trial and prints what `parse` reads."""
    parts = [f"echo '@{t.name}'\n(\nset -e\n{t.snippet}\n) 2>&1\necho \"=$?\"" for t in TRIALS]
    return "\n".join(parts)


def parse(output: str) -> dict[str, str]:
    """What each trial that ended said against the machine; empty text where it succeeded."""
    said = {}
    for match in re.finditer(r"^@(.+)\n((?:.*\n)*?)=(\d+)$", output, re.MULTILINE):
        name, text, code = match.groups()
        lines = text.split("\n")[:-1]
        said[name] = (
            "" if code == "0" else next((x for x in lines if x.strip()), f"exit code {code}")
        )
    return said
