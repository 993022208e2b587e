"""The syncs that kube-proxy's log tells of."""

from __future__ import annotations

import re
from typing import Final

from conformance.vocabulary import Node

LOGGED: Final = {"logging": {"verbosity": 4}}
"""A configuration by which every sync is told of when it begins and, once all metrics are written,
when it is done.
"""

_FAMILY: Final = r"(?: ipFamily=\"(\w+)\")?"
BEGUN: Final = re.compile(r"\] \"Syncing \w+ (?:proxier )?rules\"" + _FAMILY)
DONE: Final = re.compile(r"\] \"[Ss]yncProxyRules complete\"" + _FAMILY)


def syncs(node: Node, what: re.Pattern[str], since: int) -> list[str]:
    """The families of the syncs that have begun, or are done, since a position in the log; each of
    them ``""`` before 1.31, which does not tell.
    """
    return what.findall(node.proxy.log_since(since))
