"""What a proxy could leave on the machine itself, printed as JSON: run through
``tests.clusters.kind.cgroups``, for the tests' sandbox shows no control groups.
"""

from __future__ import annotations

import contextlib
import json
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from clusters.implementations.cilium.place import control_groups
from tests.mutants.maps.access import bpf

if TYPE_CHECKING:
    from collections.abc import Iterator

_SYSCTLS: Final = Path("/proc/sys")
_COUNTED: Final = ("-nr", "-state", "_count", "/nr", "/random/", "last_pid", "next_id")
"""Parts of the names of what the kernel itself counts there."""

_NEXT_IDS: Final = {"BPF programs": 11, "BPF maps": 12, "BPF links": 31}
"""Commands of bpf(2)."""


def sysctls() -> dict[str, str]:
    """What is set for the whole machine; what is of a network namespace alone is the sandbox's."""
    found = {}
    for path in sorted(_SYSCTLS.rglob("*")):
        name = str(path.relative_to(_SYSCTLS))
        if path.is_file() and not any(each in f"/{name}" for each in _COUNTED):
            with contextlib.suppress(OSError):  # some can only be written
                found[name] = path.read_bytes().decode(errors="replace")
    return found


def _ids(command: int) -> Iterator[int]:
    """Of all that the kernel has of a kind."""
    last = 0
    with contextlib.suppress(FileNotFoundError):  # that was the last
        while True:
            _, attributes = bpf(command, struct.pack("=I", last))
            _, last = struct.unpack_from("=II", attributes)
            yield last


def machine() -> dict[str, object]:
    """Everything."""
    root = control_groups()
    groups = sorted(str(each.relative_to(root)) for each in root.rglob("*") if each.is_dir())
    ids = {name: list(_ids(command)) for name, command in _NEXT_IDS.items()}
    return {"sysctls": sysctls(), "control groups": groups, **ids}


if __name__ == "__main__":
    json.dump(machine(), sys.stdout)
