"""What takes long to make is kept for later runs: where, and how it gets there."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TextIO


def cache_folder() -> Path:
    """The per-user folder for what takes long to make; it may be deleted at any time."""
    configured = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(configured) if configured.startswith("/") else Path.home() / ".cache"
    return base / "kube-proxy-conformance"


@contextmanager
def claimed(lock: Path) -> Iterator[bool]:
    """Hold a lock file for as long as the block lasts; false where another process holds it.

    The claim ends with the process, however that ends.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextmanager
def locked(lock: Path, waiting: str, progress: TextIO | None) -> Iterator[None]:
    """Hold a lock file; say ``waiting`` when another process holds it."""
    with claimed(lock) as free:
        if free:
            yield
            return
    print(waiting, file=progress or sys.stderr, flush=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def once(
    path: Path, make: Callable[[], object], waiting: str, progress: TextIO | None, lock: str = ""
) -> Path:
    """``path``, which ``make`` makes unless it is there, in one process at a time; ``lock`` is its
    lock file where that is not to be beside it.
    """
    if not path.exists():
        with locked(Path(lock or f"{path}.lock"), waiting, progress):
            if not path.exists():
                make()
    return path


def digest(described: str, files: Iterable[Path] = ()) -> str:
    """What tells apart things that are made of other files, or as ``described`` otherwise."""
    made_of = hashlib.sha256(described.encode())
    for file in files:
        made_of.update(hashlib.sha256(file.read_bytes()).digest())
    return made_of.hexdigest()[:12]
