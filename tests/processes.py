"""Processes that a test has started, as /proc shows them."""

from __future__ import annotations

import contextlib
from pathlib import Path


def descendants(pid: int) -> set[int]:
    """A process and all that it has started, directly or not, as far as they still live."""
    family = {pid}
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # one may end meanwhile
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                family |= descendants(int(child))
    return family


def alive(pid: int) -> bool:
    """Whether a process still runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def machines(pid: int) -> dict[int, list[str]]:
    """The arguments of QEMU, by process, among the descendants of a process."""
    found = {}
    for each in descendants(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            argv = Path(f"/proc/{each}/cmdline").read_text().split("\0")
            if argv[0].startswith("qemu-system"):
                found[each] = argv
    return found
