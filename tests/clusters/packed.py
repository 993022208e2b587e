"""This machine's Python for places that have none."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from clusters.build import packing

if TYPE_CHECKING:
    from clusters.kind.image.archive import Files


def python(home: Path, statements: str) -> tuple[Files, list[Path]]:
    """What makes ``home``/bin/python3 run programs that begin with ``statements``, and the binaries
    among it, whose libraries are not.
    """
    interpreter, library = Path(sys.executable).resolve(), home / packing.PYTHON
    modules = list(packing.modules(statements))
    files: dict[Path, Path | str | bytes] = {
        home / "bin/python3": interpreter,
        # by these two it knows the folder for its own
        library / "os.py": Path(os.__file__),
        library / "lib-dynload": ".",
    }
    for place, source in modules:
        files[library / place] = packing.compiled(place, source)
    return files, [interpreter, *(source for _, source in modules if source.suffix == ".so")]
