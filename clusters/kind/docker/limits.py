"""Whether the machine has room for more kind clusters, which share a limit of the kernel's.

Everything in a node that watches files needs an inotify instance, and a user has 128 of them unless
the machine's administrator allows more; without one systemd in a node waits for ever.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from specification.errors import ArtifactError

_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
_CLUSTER = 42  # what a control plane and a worker were seen to use
_GENEROUS = 1024


def check(clusters: int) -> None:
    """Raise ArtifactError where there are too few left for so many clusters more."""
    allowed, used = int(_LIMIT.read_text()), _used()
    if allowed - used < clusters * _CLUSTER:
        raise ArtifactError(
            f"{clusters} kind clusters take some {clusters * _CLUSTER} inotify instances, and root"
            f" uses {used} of the {allowed} that it may: choose fewer --modes, end other clusters,"
            f" or sysctl fs.inotify.max_user_instances={_GENEROUS}"
        )


def _used(processes: Path = Path("/proc")) -> int:
    """How many this user's processes have."""
    count = 0
    for process in processes.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            if process.stat().st_uid == os.geteuid():
                links = (file.readlink() for file in (process / "fd").iterdir())
                count += sum(str(link) == "anon_inode:inotify" for link in links)
    return count
