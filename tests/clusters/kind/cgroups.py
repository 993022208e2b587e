"""Cgroups in the sandbox that tests run in, which has none and no Docker: ``python -m
tests.clusters.kind.cgroups COMMAND...`` runs a command that brings its own Docker up, in a mount
namespace with cgroups.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

THROUGH = (sys.executable, "-m", "tests.clusters.kind.cgroups")
"""What comes before such a command."""

_ROOT = Path("/sys/fs/cgroup")
_INSIDE = "--inside"


def mount() -> None:
    """Mount the hierarchies that this machine's kernel has where they usually are."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    names = [line.split(":")[1] for line in lines if not line.startswith("0:")]
    subprocess.run(["mount", "-t", "tmpfs" if names else "cgroup2", "none", _ROOT], check=True)
    for name in names:  # of cgroup v1, where systemd has one of v2 besides
        option = f"none,{name}" if "=" in name else name
        _mount("cgroup", name.removeprefix("name="), "-o", option)
    if names and len(names) < len(lines):
        _mount("cgroup2", "unified")


def _mount(kind: str, name: str, *options: str) -> None:
    place = _ROOT / name
    place.mkdir()
    subprocess.run(["mount", "-t", kind, *options, "none", place], check=True)


def main(argv: list[str]) -> None:
    """Become the command."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        os.environ.pop(name, None)
    if argv[0] == _INSIDE:
        mount()
        os.execvp(argv[1], argv[1:])
    os.execvp("unshare", ["unshare", "--mount", *THROUGH, _INSIDE, *argv])


if __name__ == "__main__":
    main(sys.argv[1:])
