"""Versions of a proxy, as in Python's packaging: `>=1.32,<1.37`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.specifiers import InvalidSpecifier, SpecifierSet


def cover(versions: str, version: str) -> bool:
    """Whether a version is among ``versions``, of which an empty text has all; one that is no
    version is in no others.

    Builds of a version, such as 1.37.0-rc.1 or 1.36.3+k3s1, are taken for that version.
    """
    found = re.match(r"v?(\d+(\.\d+)*)", version)
    return not versions or (found is not None and SpecifierSet(versions).contains(found[1]))


def faults(versions: str, where: str) -> Iterator[str]:
    """What is wrong with a text that should name versions, and ``where``."""
    try:
        SpecifierSet(versions)
    except InvalidSpecifier:
        yield f'{where}: versions: {versions!r} is none such as ">=1.32,<1.37"'
