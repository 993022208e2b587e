"""Mutants of kube-proxy's nftables mode that do something else to packets than translate them: one
more chain in its table, behind all others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tests.mutants.mutant import Mutant, edited

_TRANSLATED = "ct status dnat"


def _besides(
    ipv4: Sequence[str],
    ipv6: Sequence[str] = (),
    *,
    of: str = _TRANSLATED,
    declared: str = "",
) -> Callable[[str, str], str]:
    """Have these statements, a rule each, meet every packet ``of`` a kind that leaves the node;
    what they need is ``declared`` in the table.
    """
    rules = {"ip": ipv4, "ip6": ipv6}

    def edit(line: str) -> str:
        found = re.match(r"add chain (ip6?) kube-proxy nat-postrouting \{", line)
        if not found or not rules[found[1]]:
            return line
        chain = f"{found[1]} kube-proxy besides"
        needed = [f"add {declared.format(family=found[1], table=f'{found[1]} kube-proxy')}"]
        added = [f"add rule {chain} {of} {statement}" for statement in rules[found[1]]]
        hook = f"add chain {chain} {{ type filter hook postrouting priority 160 ; }}"
        head = [line, *needed, hook] if declared else [line, hook]
        return "\n".join([*head, f"flush chain {chain}", *added])

    return lambda text, _before: edited(text, edit)


def _both(*statements: str, of: str = _TRANSLATED) -> Callable[[str, str], str]:
    return _besides(statements, statements, of=of)


_AGAIN = "tcp flags & (syn | ack) == syn ip saddr . tcp sport @ended drop"
_AGAIN6 = _AGAIN.replace("ip saddr", "ip6 saddr")

_OUTSIDE = "outside"
"""Tried from one vantage: what becomes of a packet is not decided by where it comes from."""

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
        ("proto-tcp-halfclose",),
        _both("ct direction original tcp flags & rst == rst drop"),
        _OUTSIDE,
    ),
    Mutant(
        "established-dropped",
        "of a connection only the first packets of both directions are forwarded",
        ("seq-flows-tcp", "seq-flows-udp"),
        _both("ct direction original ct state established drop"),
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
        "expiry-untold",
        "the node does not say that a hop limit has ended",
        ("pkt-time-exceeded",),
        _besides(["icmp type time-exceeded drop"], ["icmpv6 type time-exceeded drop"], of=""),
        _OUTSIDE,
    ),
)
