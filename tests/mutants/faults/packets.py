"""Mutants of kube-proxy's nftables mode that do something else to packets than translate them: one
more chain in its table, behind all others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from specification.addresses import OUTSIDE, ROUTERS, Family, pod_cidr
from tests.mutants.mutant import Mutant, edited

_TRANSLATED = "ct status dnat"

EXTERNAL = "ext0"
"""The node's external link, as ``clusters.node`` has it: that is too much for a wrapper to load."""


def _besides(
    ipv4: Sequence[str],
    ipv6: Sequence[str] = (),
    *,
    of: str = _TRANSLATED,
    hook: str = "postrouting priority 160",
    declared: str = "",
) -> Callable[[str, str], str]:
    """Have these statements, a rule each, meet every packet ``of`` a kind at the ``hook``: where it
    leaves the node, if nothing else is said. What they need is ``declared`` in the table.
    """
    rules = {"ip": ipv4, "ip6": ipv6}

    def edit(line: str) -> str:
        found = re.match(r"add chain (ip6?) kube-proxy nat-postrouting \{", line)
        if not found or not rules[found[1]]:
            return line
        chain = f"{found[1]} kube-proxy besides"
        needed = [f"add {declared.format(family=found[1], table=f'{found[1]} kube-proxy')}"]
        added = [f"add rule {chain} {of} {statement}" for statement in rules[found[1]]]
        hooked = f"add chain {chain} {{ type filter hook {hook} ; }}"
        head = [line, *needed, hooked] if declared else [line, hooked]
        return "\n".join([*head, f"flush chain {chain}", *added])

    return lambda text, _before: edited(text, edit)


def _both(*statements: str, of: str = _TRANSLATED) -> Callable[[str, str], str]:
    return _besides(statements, statements, of=of)


def _led_astray(word: str, family: Family) -> list[str]:
    to_pods = f"{word} daddr {pod_cidr(0, family)}"
    return [f"{to_pods} dup to {ROUTERS[family]} device {EXTERNAL}", f"{to_pods} drop"]


_AGAIN = "tcp flags & (syn | ack) == syn ip saddr . tcp sport @ended drop"
_AGAIN6 = _AGAIN.replace("ip saddr", "ip6 saddr")

_FIRST = "prerouting priority -310"
"""Where a packet comes by before it is tracked."""

_OUTSIDE = "outside"
"""Tried from one vantage: what becomes of a packet is not decided by where it comes from."""

_ERRORS = "{ time-exceeded, destination-unreachable }"

MUTANTS = (
    Mutant(
        "hop-limit-set",
        "all packets leave with the same time to live or hop limit",
        ("pkt-hop-limit", "itp-cluster-default"),  # those of a census are held, too
        _besides(["ip ttl set 64"], ["ip6 hoplimit set 64"]),
        f"({_OUTSIDE} or census)",
    ),
    Mutant(
        "dscp-set",
        "all packets are expedited",
        ("pkt-dscp",),
        _besides(["ip dscp set ef"], ["ip6 dscp set ef"]),
        _OUTSIDE,
    ),
    Mutant(
        "ecn-set",
        "all packets say that a queue was full",
        ("pkt-ecn",),
        _besides(["ip ecn set ce"], ["ip6 ecn set ce"]),
        _OUTSIDE,
    ),
    Mutant(
        "flow-label-set",
        "all packets of IPv6 have the same flow label",
        ("pkt-flow-label",),
        _besides([], ["ip6 flowlabel set 0x12345"]),
        _OUTSIDE,
    ),
    Mutant(
        "df-cleared",
        "all packets of IPv4 may be fragmented",
        ("pkt-fragmentation",),
        _besides(["ip frag-off set 0"]),
        _OUTSIDE,
    ),
    Mutant(
        "udp-length-set",
        "all datagrams tell the same length",
        ("pkt-length",),
        _both("udp length set 9"),
        f"UDP and {_OUTSIDE}",
    ),
    Mutant(
        "window-set",
        "all TCP segments have the same window",
        ("pkt-tcp-header",),
        _both("tcp window set 1234"),
        _OUTSIDE,
    ),
    Mutant(
        "mss-stripped",
        "the largest segment of a TCP connection is not told",
        ("pkt-tcp-header",),
        _both("reset tcp option maxseg"),
        _OUTSIDE,
    ),
    Mutant(
        "payload-overwritten",
        "the ninth and tenth byte of every datagram's payload are overwritten",
        ("pkt-payload",),
        _both("meta l4proto udp @th,128,16 set 0xabcd"),
        f"UDP and {_OUTSIDE}",
    ),
    Mutant(
        "ip-checksum-wrong",
        "the header checksums of IPv4 are wrong",
        ("pkt-ip-checksum",),
        _besides(["ip checksum set 0x1234"]),
        _OUTSIDE,
    ),
    Mutant(
        "tcp-checksum-wrong",
        "the checksums of TCP are wrong",
        ("pkt-tcp-checksum",),
        _both("tcp checksum set 0x1234"),
        _OUTSIDE,
    ),
    Mutant(
        "udp-checksum-wrong",
        "the checksums of UDP are wrong",
        ("pkt-udp-checksum", "pkt-udp-no-checksum"),
        _both("udp checksum set 0x1234"),
        _OUTSIDE,
    ),
    Mutant(
        "sctp-crc-wrong",
        "the checksums of SCTP are wrong",
        ("pkt-sctp-checksum",),
        _both("meta l4proto sctp @th,64,32 set 0x12345678"),
        _OUTSIDE,
    ),
    Mutant(
        "sctp-tag-set",
        "the verification tags of SCTP are all the same",
        ("pkt-sctp-chunks",),
        _both("sctp vtag set 7"),
        _OUTSIDE,
    ),
    Mutant(
        "unsummed-dropped",
        "datagrams without a checksum are dropped",
        ("pkt-udp-no-checksum",),
        _besides(["udp checksum 0 drop"]),
        _OUTSIDE,
    ),
    Mutant(
        "low-ports-dropped",
        "clients with well-known ports are not served",
        ("pkt-client-ports",),
        _both("ct direction original th sport 1-1023 drop"),
        _OUTSIDE,
    ),
    Mutant(
        "one-answer",
        "of several answers to one datagram only the first passes",
        ("pkt-every-answer",),
        _both(
            "ct direction original ct mark set 0",
            "ct direction reply ct mark 7 drop",
            "ct direction reply ct mark set 7",
            of=f"{_TRANSLATED} meta l4proto udp",
        ),
        _OUTSIDE,
    ),
    Mutant(
        "others-dropped",
        "packets of other protocols than those of Services are not forwarded",
        ("pkt-no-service",),
        _both("drop", of="meta l4proto { esp, 253, 254 }"),
    ),
    Mutant(
        "fin-dropped",
        "what ends a connection is not forwarded",
        ("proto-tcp-halfclose",),
        _both("tcp flags & fin == fin drop"),
        _OUTSIDE,
    ),
    Mutant(
        "resets-dropped",
        "what aborts a connection is not forwarded",
        ("proto-tcp-halfclose", "cip-ep-refused"),
        _both("tcp flags & rst == rst drop"),
        f"({_OUTSIDE} or cip-ep-refused)",
    ),
    Mutant(
        "established-dropped",
        "of a connection only the first packets of both directions are forwarded",
        (
            *("seq-flows-tcp", "seq-flows-udp", "ct-udp-keep-shared-ip"),
            *("cip-keep-on-ep-add", "cip-keep-on-ep-unready", "cip-slice-dup-move"),
            *("cip-conn-pinned", "lb-per-conn", "ct-udp-keep-live", "ct-udp-keep-other-svc"),
            *("ct-restart-keep", "life-restart-existing", "noep-established", "np-keep-on-sync"),
            "ct-np-port-clash-last",
        ),
        _both("ct direction original ct state established drop"),
    ),
    Mutant(
        "odd-sizes-dropped",
        "datagrams are dropped that are empty or take fragments, and data that opens a connection",
        ("proto-udp-frag", "proto-udp-zero-len", "proto-tcp-fastopen-data"),
        _both(
            "udp length 8 drop",
            "udp length > 1480 drop",
            "tcp flags & (syn | ack) == syn meta length > 120 drop",
        ),
        _OUTSIDE,
    ),
    Mutant(
        "replies-untranslated",
        "what endpoints answer is not translated back",
        ("cip-reply-source", "np-reply-source"),
        _besides(*[["meta l4proto { tcp, udp } th sport 8080 notrack"]] * 2, of="", hook=_FIRST),
    ),
    Mutant(
        "invalid-dropped",
        "what connection tracking takes for invalid is not forwarded",
        ("ct-asymmetric",),
        _both("drop", of="ct state invalid"),
    ),
    Mutant(
        "half-close-cut",
        "once a client has closed, nothing comes from its endpoint any more",
        ("proto-tcp-halfclose",),
        _both(
            "ct direction original tcp flags & (syn | ack) == syn ct mark set 0",
            "ct direction reply ct mark 8 drop",
            "ct direction original tcp flags & fin == fin ct mark set 8",
            of=f"{_TRANSLATED} meta l4proto tcp",
        ),
        _OUTSIDE,
    ),
    Mutant(
        "ports-remembered",
        "a port whose connection has ended is not served for a minute",
        ("ct-tcp-port-reuse",),
        _besides(
            ["tcp flags & (fin | rst) > 0x0 update @ended { ip saddr . tcp sport }", _AGAIN],
            ["tcp flags & (fin | rst) > 0x0 update @ended { ip6 saddr . tcp sport }", _AGAIN6],
            of="ct direction original ct status dnat meta l4proto tcp",
            declared="set {table} ended {{ typeof {family} saddr . tcp sport ;"
            " flags dynamic,timeout ; timeout 60s ; }}",
        ),
        "pod",  # others are masqueraded by then
    ),
    Mutant(
        "long-way-round",
        "what is for pods of the node leaves by the external link",
        ("pkt-link",),
        _besides(*(_led_astray(*each) for each in (("ip", "IPv4"), ("ip6", "IPv6")))),
        _OUTSIDE,
    ),
    Mutant(
        "loopback-replaced",
        "what comes from a loopback address is taken for a host's outside the cluster",
        ("sec-martian-src",),
        _besides(
            [f"ip saddr 127.0.0.0/8 ip saddr set {OUTSIDE['IPv4'][-3]}"],
            of="",
            hook=_FIRST,
        ),
        f"IPv4 and {_OUTSIDE}",
    ),
    Mutant(
        "errors-untold",
        "the node tells no ICMP error, and hands none on",
        (
            *("pkt-time-exceeded", "sec-icmp-no-reveal"),
            *("proto-icmp-err-from-ep", "proto-icmp-err-to-ep", "proto-icmp-err-sctp"),
        ),
        _besides([f"icmp type {_ERRORS} drop"], [f"icmpv6 type {_ERRORS} drop"], of=""),
        _OUTSIDE,
    ),
)
