"""What was seen of many tries at once: the kinds of outcomes of each decision, as a set of bits."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import numpy as np

from fixtures.lab.frames import Kind, Mask, Numbers
from fixtures.lab.sample import Sample, to_bytes
from specification.addresses import IPAddress, family_of

_WORDS: Final = (
    "delivered, seen from the node",
    "delivered, seen from the client",
    "delivered, seen from somebody else",
    "refused by ICMP",
    "refused by a reset",
    "refused where it connects",
    "dropped",
    "passed on",
    "something else",
)
"""What each bit stands for, the lowest first."""

_DELIVERED: Final = 0b111


def seen_from(sample: Sample, own: Collection[IPAddress]) -> dict[str, Mask]:
    """Which tries arrived with their clients' own addresses, with one of the node's (``own``), with
    either.
    """
    node = np.zeros(len(sample), np.bool_)
    for address in own:
        if family_of(address) == sample.family:
            node |= (sample.sources == to_bytes([address])).all(axis=1)
    kept = (sample.sources == sample.clients).all(axis=1)
    return {"client": kept, "node": node, "either": kept | node}


def outcomes(sample: Sample, own: Collection[IPAddress], tries: int) -> Numbers:
    """The kinds of outcomes of each decision, whose ``tries`` follow each other."""
    source = seen_from(sample, own)
    delivered, nowhere = sample.is_delivered, sample.arrivals == 0
    kept, node = source["client"], source["node"]
    masks = [
        delivered & node,  # the client itself may be a process on it
        delivered & kept & ~node,
        delivered & ~node & ~kept,
        nowhere & (sample.reply_kind == Kind.UNREACHABLE),
        nowhere & (sample.reply_kind == Kind.RESET),
        nowhere & (sample.reply_kind == Kind.TURNED_AWAY),
        nowhere & (sample.replies == 0) & ~sample.is_unseen,
        sample.is_passed & kept,
    ]
    known = np.any(masks, axis=0)
    bits = sum((mask.astype(np.int64) << n for n, mask in enumerate([*masks, ~known])), start=0)
    together: Numbers = np.bitwise_or.reduce(np.reshape(bits, (-1, tries)), axis=1)
    return together


def in_words(bits: int, *, whole: bool) -> str:
    """The kinds that ``bits`` stand for; unless the ``whole`` choice was seen, whom a delivered one
    is seen from is left to chance, and out.
    """
    found = [word for number, word in enumerate(_WORDS) if bits >> number & 1]
    if not whole and bits & _DELIVERED:
        found = ["delivered", *(word for word in found if not word.startswith("delivered"))]
    return " and ".join(found)
