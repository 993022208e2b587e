"""The cgroups of a private Docker's containers, which outlive whoever made them."""

from __future__ import annotations

import contextlib
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")

PARENT = "kube-proxy-conformance"
"""The cgroup, in every hierarchy, that holds those of all private Dockers."""


def names() -> set[str]:
    """The private Dockers that have cgroups."""
    parents = (ROOT / PARENT, *ROOT.glob(f"*/{PARENT}"))
    return {path.name for parent in parents for path in parent.glob("*") if path.is_dir()}


def remove(name: str) -> int:
    """Remove the cgroups of the private Docker ``name`` that nothing runs in; how many went."""
    removed = 0
    for parent in (ROOT / PARENT, *ROOT.glob(f"*/{PARENT}")):
        inner = [path for path in (parent / name).rglob("*") if path.is_dir()]
        for group in (*sorted(inner, reverse=True), parent / name):
            with contextlib.suppress(OSError):
                group.rmdir()
                removed += 1
        with contextlib.suppress(OSError):
            parent.rmdir()
    return removed
