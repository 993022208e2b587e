"""Removing what runs left that were killed: only what the suite made, and only of runs that have
ended.
"""

from __future__ import annotations

import fcntl
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clusters.kind.cluster.configuration import MARK
from clusters.kind.cluster.creation import PREFIX, lock_of
from clusters.kind.docker import cgroups, engine, private
from clusters.kind.docker.engine import Engine
from clusters.kind.image import build as image

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLUSTER = "io.x-k8s.kind.cluster"  # the label in which kind keeps a cluster's name
_LISTED = f'{{{{.ID}}}}\t{{{{.Label "{_CLUSTER}"}}}}'
_LOCK = (
    f'{{{{range .Mounts}}}}{{{{if eq .Destination "{MARK}"}}}}{{{{.Source}}}}{{{{end}}}}{{{{end}}}}'
)


@dataclass
class Found:
    """What was said about what was found: that it was removed, or why it wasn't."""

    removed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """All of it, to be read."""
        yield from (f"removed {what}" for what in self.removed)
        yield from (f"left alone: {what}" for what in self.left)
        if not self.removed:
            yield "there was nothing to remove"


def clean() -> Found:
    """Remove everything that a run left behind which has ended.

    Raises ArtifactError where the Docker that is meant does not answer.
    """
    found = Found()
    socket = engine.find()
    if socket:
        _clusters(Engine(f"unix://{socket}", Path("/proc")), found)
    _private_dockers(found)
    if image.remove_unfinished():
        found.removed.append("a node image that was not finished")
    return found


def _clusters(docker: Engine, found: Found) -> None:
    """Remove clusters with the suite's mark whose run holds its lock no more."""
    listed = docker.docker("ps", "--all", "--filter", f"volume={MARK}", "--format", _LISTED).stdout
    containers: dict[str, list[str]] = {}
    for line in listed.splitlines():
        container, _, name = line.partition("\t")
        if name.startswith(PREFIX):
            containers.setdefault(name, []).append(container)
    for name, ones in containers.items():
        mark = Path(docker.docker("inspect", "--format", _LOCK, ones[0]).stdout.strip())
        if _held(mark if mark.suffix == ".lock" else lock_of(name)):
            found.left.append(f"kind cluster {name}, whose run is still alive")
            continue
        docker.docker("rm", "--force", "--volumes", *ones)
        found.removed.append(f"kind cluster {name} (containers: {len(ones)})")


def _private_dockers(found: Found) -> None:
    """Remove what Dockers of the suite's own have left whose run has ended; the node image stays
    where nothing else is.
    """
    names = {root.name for root in private.roots()} | cgroups.names()
    for name in sorted(names):
        with private.claimed(name) as free:
            if not free:
                found.left.append(f"the suite's own Docker {name!r}, whose run is still alive")
                continue
            if private.left(name):
                shutil.rmtree(private.root(name))
                found.removed.append(f"containers and volumes of the suite's own Docker {name!r}")
            count = cgroups.remove(name)
            if count:
                found.removed.append(f"{count} empty cgroups of the suite's own Docker {name!r}")


def _held(lock: Path) -> bool:
    """Whether a process holds a lock file."""
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False
