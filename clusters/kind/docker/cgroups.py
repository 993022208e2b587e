"""The cgroups of a private Docker's containers, which outlive whoever made them."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from clusters.build.cache import cache_folder

ROOT = Path("/sys/fs/cgroup")

PARENT = f"kube-proxy-conformance-{hashlib.sha256(bytes(cache_folder())).hexdigest()[:8]}"
"""The cgroup, in every hierarchy, that holds those of all private Dockers with data in this cache:
runs with another one know nothing of their locks.
"""


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
