"""What of a proxy's code no test reaches, and why: an implementation's own list, strict.

A TOML file of tables::

    [[unreached]]
    functions = ["pkg/proxy/nftables.(*Proxier).OnNodeDelete"]  # patterns, with the package
    branches = ["if err != nil {"]  # texts of their lines; all of the functions where left out
    versions = ">=1.32"             # of the proxy, as in Python's packaging; all where left out
    reason = "Why nothing that happens on a node leads there."

What is listed and is reached is a fault of the list, and so is what the pinned release does not
have.
"""

from __future__ import annotations

import msgspec

from clusters.implementation import Implementation
from clusters.implementations import tables, versions
from specification.errors import ImplementationError


class Unreached(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Code that nothing reaches for one reason."""

    functions: tuple[str, ...]
    reason: str
    branches: tuple[str, ...] = ()
    versions: str = ""


def of(implementation: Implementation, version: str) -> list[Unreached]:
    """What an implementation lists for a version of it; nothing where it names no file.

    Raises:
        ImplementationError: the file cannot be read, or a table has an unknown or lacks a needed
            key.
    """
    if not implementation.unreached:
        return []
    path = implementation.path.parent / implementation.unreached
    content = tables.read(path, ImplementationError)
    listed = content.pop("unreached", [])
    if content:
        raise ImplementationError(f"{path}: {min(content)} is unknown")
    known = []
    for number, table in enumerate(listed, start=1):
        where = f"{path}: [[unreached]] number {number}"
        known.append(tables.made(table, Unreached, where, ImplementationError))
        for wrong in versions.faults(known[-1].versions, where):
            raise ImplementationError(wrong)
    return [each for each in known if versions.cover(each.versions, version)]
