"""The words in braces that the suite fills in where an implementation's file has them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from clusters.implementation import Implementation

_VERSION: Final = frozenset({"binary", "directory"})
_COMMAND: Final = _VERSION | {
    "mode",
    "node_name",
    "kubeconfig",
    "server",
    "management_address",
    "cluster_cidrs",
    "node_ipv4",
    "node_ipv6",
    "min_sync_period",
}
WORDS: Final[Mapping[str, frozenset[str]]] = {
    "version": _VERSION,
    **dict.fromkeys(("argv", "ready", "metrics", "cleanup", "environment", "files"), _COMMAND),
}
"""What may stand in each key of the file."""


def strange(implementation: Implementation) -> Iterator[str]:
    """What looks like such a word in a file and is none, a line each. (A hook program has words of
    its own.)
    """
    if implementation.hooks:
        return
    for key, known in WORDS.items():
        text = msgspec.json.encode(getattr(implementation, key)).decode()
        for word in dict.fromkeys(re.findall(r"\{([a-z_][a-z0-9_]*)\}", text)):
            if word not in known:
                (near,) = difflib.get_close_matches(word, known, 1, cutoff=0)
                yield (
                    f"{implementation.path}: {key}: {{{word}}} is not filled in; the nearest"
                    f" that is, is {{{near}}}"
                )
