"""Integrity: what a proxy must leave as it is in the headers of the packets that it translates."""

from __future__ import annotations

import random

from conformance.integrity.conftest import Send, varied, with_all_frontends
from conformance.vocabulary import Family, over, requirement
from specification.packets import (
    DSCP,
    ECN,
    FLOW_LABEL,
    FRAGMENTATION,
    HOP_LIMIT,
    LENGTH,
    LINK,
    SCTP_HEADER,
    TCP_HEADER,
    Shape,
)

pytestmark = [over(vantage=["pod", "outside"]), with_all_frontends]

_SHAPES = 8

_OPTIONS = (
    b"\2\4\5\xb4",  # the largest segment
    b"\2\4\5\xb4\4\2\x08\x0a\1\2\3\4\0\0\0\0\1\3\3\7",  # and SACK, time stamps, window scale
    b"\x22\2\1\1",  # a request for a fast-open cookie (RFC 7413)
    b"\xfd\4\x12\x34\1\1\1\0",  # an experiment (RFC 4727), padding, the end
)
_ECE, _CWR, _AE = 0x40, 0x80, 0x100


@requirement(HOP_LIMIT.id, *HOP_LIMIT.references)
def test_one_hop_is_taken_off(send: Send, draw: random.Random, family: Family) -> None:
    """Packets of a connection to a Service must leave the node, in both directions, with a time to
    live or hop limit that is exactly one less than that with which they came.
    """
    limits = [2, 3, 32, 64, 65, 128, 200, 254, 255]
    send(HOP_LIMIT, [varied(draw, family, hop_limit=limit) for limit in limits])


@requirement(LINK.id, *LINK.references)
def test_packets_leave_by_the_link_of_their_destination(
    send: Send, draw: random.Random, family: Family
) -> None:
    """A packet to a Service whose endpoint is a pod of the node, and one back to a pod of the node,
    must leave by the link of the pods, without a way round; every other by the external link.
    """
    send(LINK, [varied(draw, family) for _ in range(_SHAPES)])


@requirement(DSCP.id, *DSCP.references)
def test_the_dscp_is_kept(send: Send, draw: random.Random, family: Family) -> None:
    """Packets of a connection to a Service must keep their DSCP, in both directions."""
    chosen = [46, 8, 1, 63, *draw.sample(range(64), _SHAPES - 4)]
    send(DSCP, [varied(draw, family, dscp=dscp) for dscp in chosen])


@requirement(ECN.id, *ECN.references)
def test_the_ecn_bits_are_kept(send: Send, draw: random.Random, family: Family) -> None:
    """Packets of a connection to a Service must keep their ECN bits, in both directions, where no
    queue is full.
    """
    send(ECN, [varied(draw, family, ecn=turn % 4) for turn in range(_SHAPES)])


@requirement(FLOW_LABEL.id, *FLOW_LABEL.references)
@over(family="IPv6")
def test_the_flow_label_is_kept(send: Send, draw: random.Random, family: Family) -> None:
    """Packets of a connection to a Service must keep a flow label of IPv6 that is not zero, in both
    directions.
    """
    labels = [1, 0x80000, 0xFFFFF, *(draw.randrange(1, 1 << 20) for _ in range(_SHAPES - 3))]
    send(FLOW_LABEL, [varied(draw, family, flow_label=label) for label in labels])


@requirement(FRAGMENTATION.id, *FRAGMENTATION.references)
@over(family="IPv4")
def test_what_is_about_fragments_is_kept(send: Send, draw: random.Random, family: Family) -> None:
    """IPv4 packets of a connection to a Service must keep their DF bit, set or not, in both
    directions, and where it is not set and their source is not translated their identification.
    """
    numbers = [None, 1, 0x8000, 0xFFFF, None, *draw.sample(range(1, 1 << 16), _SHAPES - 5)]
    send(FRAGMENTATION, [varied(draw, family, identification=number) for number in numbers])


@requirement(LENGTH.id, *LENGTH.references)
def test_lengths_are_kept(send: Send, draw: random.Random, family: Family) -> None:
    """Packets of a connection to a Service must keep their length, whatever it is, and the lengths
    that their headers tell, in both directions.
    """
    lengths = [0, 1, 2, 3, 8, 100, 511, 512, 1000, 1272]
    shapes = [varied(draw, family, more=draw.randbytes(length)) for length in lengths]
    send(LENGTH, shapes)


@requirement(TCP_HEADER.id, *TCP_HEADER.references)
@over(protocol="TCP")
def test_the_tcp_header_is_kept(send: Send, draw: random.Random, family: Family) -> None:
    """TCP segments of a connection to a Service must keep, in both directions, their sequence
    numbers, flags (those of ECN among them), window, urgent pointer and options, known or not.
    """
    shapes = [varied(draw, family, options=options) for options in _OPTIONS]
    shapes += [
        varied(draw, family, flags=flags, window=draw.randrange(2000, 1 << 16))
        for flags in (_ECE | _CWR, _ECE, _CWR, _AE)
    ]
    shapes += [varied(draw, family, urgent=pointer) for pointer in (1, 8)]
    send(TCP_HEADER, shapes)


@requirement(SCTP_HEADER.id, *SCTP_HEADER.references, feature="sctp")
@over(protocol="SCTP")
def test_what_sctp_carries_is_kept(send: Send, family: Family) -> None:
    """SCTP packets to a Service and back must keep their verification tag and all of their
    chunks.
    """
    labels = (0, 0x12345) if family == "IPv6" else (0,)
    send(SCTP_HEADER, [Shape(dscp=dscp, flow_label=label) for dscp in (0, 46) for label in labels])
