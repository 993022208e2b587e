"""Cgroups in the sandbox that tests run in, which has none: ``python -m tests.cgroups COMMAND...``
runs a command that needs them, in a mount namespace of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
INSIDE = "--inside"


def mount() -> None:
    """Mount the hierarchies that this machine's kernel has where they usually are."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    names = [line.split(":")[1] for line in lines if not line.startswith("0:")]
    subprocess.run(["mount", "-t", "tmpfs" if names else "cgroup2", "none", ROOT], check=True)
    for name in names:  # of cgroup v1, where systemd has one of v2 besides
        option = f"none,{name}" if "=" in name else name
        _mount("cgroup", name.removeprefix("name="), "-o", option)
    if names and len(names) < len(lines):
        _mount("cgroup2", "unified")


def _mount(kind: str, name: str, *options: str) -> None:
    place = ROOT / name
    place.mkdir()
    subprocess.run(["mount", "-t", kind, *options, "none", place], check=True)


def main(argv: list[str]) -> None:
    """Become the command."""
    if argv[0] == INSIDE:
        mount()
        os.execvp(argv[1], argv[1:])
    inside = [sys.executable, "-m", "tests.cgroups", INSIDE, *argv]
    os.execvp("unshare", ["unshare", "--mount", *inside])


if __name__ == "__main__":
    main(sys.argv[1:])
