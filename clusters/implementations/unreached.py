"""What of a proxy's code no test reaches, and why: an implementation's own list, strict.

A TOML file of tables::

    [[unreached]]
    functions = ["pkg/proxy/nftables.(*Proxier).setInitialized"]  # patterns, with the package
    versions = ">=1.32"    # of the proxy, as in Python's packaging; all where left out
    reason = "why nothing that a node does leads there"

What is listed and reached nevertheless is a fault of the list, and so is a name that nothing has.
"""

from __future__ import annotations

import msgspec

from clusters.implementation import Implementation
from clusters.implementations import tables, versions
from specification.errors import ImplementationError


class Unreached(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Functions that nothing reaches for one reason."""

    functions: tuple[str, ...]
    reason: str
    versions: str = ""


def of(implementation: Implementation, version: str) -> dict[str, str]:
    """The reasons that an implementation lists for a version of it, by patterns of functions; none
    where it names no file.

    Raises:
        ImplementationError: the file cannot be read, or a table has an unknown or lacks a needed
            key.
    """
    if not implementation.unreached:
        return {}
    path = implementation.path.parent / implementation.unreached
    content = tables.read(path, ImplementationError)
    listed = content.pop("unreached", [])
    if content:
        raise ImplementationError(f"{path}: {min(content)} is unknown")
    known: dict[str, str] = {}
    for number, table in enumerate(listed, start=1):
        where = f"{path}: [[unreached]] number {number}"
        made = tables.made(table, Unreached, where, ImplementationError)
        versions.check(made.versions, where)
        if versions.cover(made.versions, version):
            known |= dict.fromkeys(made.functions, made.reason)
    return known
