"""A pod on a kind node, as the node sees it: its processes and its log."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clusters.api import Object

_LINE = re.compile(rb"^\S+ (?:stdout|stderr) ([FP]) ", re.MULTILINE)
"""What the container runtime puts before each line (CRI, kubernetes: log.go of the kubelet)."""


class PodLog:
    """What the container ``container`` of a pod prints, over its restarts, on the node whose files
    are under ``root``.
    """

    def __init__(self, root: Path, pod: Object, container: str) -> None:
        metadata = pod["metadata"]
        name = f"{metadata['namespace']}_{metadata['name']}_{metadata['uid']}"
        self._folder = root / "var/log/pods" / name / container
        self._read: dict[Path, int] = {}

    def new(self) -> bytes:
        """What has been printed since the last look, in whole lines."""
        found = b""
        for file in sorted(self._folder.glob("*.log"), key=lambda file: int(file.stem)):
            position = self._read.get(file, 0)
            with file.open("rb") as log:
                log.seek(position)
                whole = log.read().rpartition(b"\n")
            self._read[file] = position + len(whole[0]) + len(whole[1])
            found += _LINE.sub(b"", whole[0] + whole[1])
        return found


def processes(proc: Path, program: str, network: Path) -> Iterator[int]:
    """The ids of processes in ``proc`` that run ``program`` in the network namespace ``network``, a
    file such as /proc/42/ns/net.
    """
    wanted = network.stat().st_ino
    for place in proc.iterdir():
        if not place.name.isdecimal():
            continue
        try:
            if (place / "comm").read_text().strip() == program[:15] and (
                place / "ns/net"
            ).stat().st_ino == wanted:
                yield int(place.name)
        except OSError:  # it has ended meanwhile
            continue
