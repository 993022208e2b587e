"""What of this machine goes into an image: the libraries of programs, and Python's modules."""

from __future__ import annotations

import importlib.util
import json
import marshal
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PYTHON = Path(f"lib/python{sys.version_info.major}.{sys.version_info.minor}")
"""Where an interpreter looks for modules without being told: there, beside the folder it is in."""

_EVERYWHERE = ("encodings.idna", "encodings.utf_8", "encodings.latin_1")
"""Modules that interpreters import when they need them."""

_LISTING = """
import json, sys
print(json.dumps({name: module.__spec__.origin for name, module in sys.modules.items()
                  if getattr(module, "__spec__", None) and module.__spec__.has_location}))
"""


def libraries(binaries: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """The shared libraries, and the loader, where the dynamic loader of this machine finds them,
    and the file that each is.
    """
    done = subprocess.run(["ldd", *binaries], capture_output=True, text=True, check=False)
    found = re.findall(r"(?:=> )?(/\S+) \(0x", done.stdout)
    for library in sorted(set(map(Path, found))):
        yield library, library.resolve()


def modules(statements: str) -> Iterator[tuple[Path, Path]]:
    """All modules that a Python program imports which begins with these ``statements``: where each
    has to be, relative to ``PYTHON``, and its file.

    A place that ends in .pyc is for the file ``compiled``.
    """
    script = f"import {', '.join(_EVERYWHERE)}\n{statements}\n{_LISTING}"
    done = subprocess.run(
        [sys.executable, "-"], input=script, capture_output=True, text=True, check=True
    )
    for name, origin in json.loads(done.stdout.splitlines()[-1]).items():
        source, place = Path(origin), Path(name.replace(".", "/"))
        if source.suffix == ".py":
            package = source.stem == "__init__"
            yield (place / "__init__" if package else place).with_suffix(".pyc"), source
        elif source.suffix == ".so":
            yield place.with_name(source.name), source


def compiled(path: Path, source: Path) -> bytes:
    """What of ``source`` is put at ``path``: all of it, or compiled where that is a .pyc.

    (Where a processor is emulated it takes seconds to compile what a program imports.)
    """
    if path.suffix != ".pyc":
        return source.read_bytes()
    code = compile(source.read_bytes(), str(path), "exec", dont_inherit=True, optimize=0)
    return importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(code)  # PEP 552
