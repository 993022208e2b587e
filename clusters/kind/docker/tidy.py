"""Removing what runs left that were killed: only what the suite made, and only of runs that have
ended.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from clusters.build.cache import claimed
from clusters.kind.cluster.configuration import MARK
from clusters.kind.cluster.creation import PREFIX, lock_of
from clusters.kind.docker import cgroups, engine, private
from clusters.kind.docker.engine import Engine
from clusters.kind.image import build as image

_CLUSTER = "io.x-k8s.kind.cluster"  # the label in which kind keeps a cluster's name
_LISTED = f'{{{{.ID}}}}\t{{{{.Label "{_CLUSTER}"}}}}'
_LOCK = (
    f'{{{{range .Mounts}}}}{{{{if eq .Destination "{MARK}"}}}}{{{{.Source}}}}{{{{end}}}}{{{{end}}}}'
)


def clean() -> list[str]:
    """Remove everything that a run left behind which has ended; what was removed, and what was left
    alone.

    Raises ArtifactError where the Docker that is meant does not answer.
    """
    removed: list[str] = []
    left: list[str] = []
    socket = engine.find()
    if socket:
        _clusters(Engine(f"unix://{socket}", Path("/proc")), removed, left)
    _private_dockers(removed, left)
    if image.remove_unfinished():
        removed.append("a node image that was not finished")
    said = [*(f"removed {what}" for what in removed), *(f"left alone: {what}" for what in left)]
    return said if removed else [*said, "there was nothing to remove"]


def _clusters(docker: Engine, removed: list[str], left: list[str]) -> None:
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
            left.append(f"kind cluster {name}, whose run is still alive")
            continue
        docker.docker("rm", "--force", "--volumes", *ones)
        removed.append(f"kind cluster {name} (containers: {len(ones)})")


def _private_dockers(removed: list[str], left: list[str]) -> None:
    """Remove what Dockers of the suite's own have left whose run has ended; the node image stays
    where nothing else is.
    """
    names = {root.name for root in private.roots()} | cgroups.names()
    for name in sorted(names):
        with private.claimed(name) as free:
            if not free:
                left.append(f"the suite's own Docker {name!r}, whose run is still alive")
                continue
            if private.left(name):
                shutil.rmtree(private.root(name))
                removed.append(f"containers and volumes of the suite's own Docker {name!r}")
            count = cgroups.remove(name)
            if count:
                removed.append(f"{count} empty cgroups of the suite's own Docker {name!r}")


def _held(lock: Path) -> bool:
    """Whether a process holds a lock file."""
    if not lock.exists():
        return False
    with claimed(lock) as free:
        return not free
