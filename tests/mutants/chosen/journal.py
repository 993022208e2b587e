"""What a run of every mutant has found so far, so that an interrupted one goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from tests.conftest import ROOT
from tests.mutants.matrix import Kill

_ROOMS = ("clusters", "conformance", "fixtures", "launch", "reports", "specification", "tests")


def tree() -> str:
    """A digest of all that decides what becomes of a mutant."""
    digest = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((ROOT / room).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


class Journal:
    """Batches of mutants that were judged, a line each; those of another ``tree`` do not count."""

    def __init__(self, path: Path, tree: str) -> None:
        self._path, self._tree = path, tree

    def judged(self, names: Sequence[str]) -> list[Kill] | None:
        """What was found of these mutants together; ``None`` where they were not judged yet."""
        if not self._path.exists():
            return None
        for line in self._path.read_text().splitlines():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:  # it was interrupted as it wrote
                continue
            if entry["tree"] == self._tree and entry["names"] == list(names):
                return [Kill(*each) for each in entry["kills"]]
        return None

    def add(self, names: Sequence[str], kills: Sequence[Kill]) -> None:
        """Note what was found of these mutants."""
        entry = {"tree": self._tree, "names": list(names), "kills": kills}
        with self._path.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def end(self) -> None:
        """All are judged: the next run begins anew."""
        self._path.unlink(missing_ok=True)
