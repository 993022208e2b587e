"""Clang as the agent calls it, which prints again what it has compiled before.

An agent compiles the same programs on every node and after every start, for seconds each: what they
are made of is in the sources and in headers that the agent writes. What the preprocessor makes of
these, with the options, is what two compilations have in common that have the same result.

It is run as a program of its own by the ``clang`` that ``install`` makes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNUSED: Final = 7 * 24 * 3600.0  # seconds after which nobody asks for a result again


def install(folder: Path, compiler: Path, results: Path) -> None:
    """Make a ``clang`` in ``folder`` that keeps in ``results`` what ``compiler`` makes, and forget
    the results that nobody has asked for in a week.
    """
    folder.mkdir(parents=True, exist_ok=True)
    results.mkdir(parents=True, exist_ok=True)
    for each in results.iterdir():
        with contextlib.suppress(OSError):  # somebody else was quicker
            if time.time() - each.stat().st_mtime > _UNUSED:
                each.unlink()
    argv = shlex.join([sys.executable, "-SE", __file__, str(compiler), str(results)])
    (folder / "clang").write_text(f'#!/bin/sh\nexec {argv} "$@"\n')
    (folder / "clang").chmod(0o755)


def _key(compiler: str, arguments: Sequence[str]) -> str:
    """What names a result: paths do not count, for each agent has its sources at its own.

    Raises:
        CalledProcessError: the preprocessor refuses the sources.
    """
    argv = [compiler, *arguments, "-E", "-P"]
    text = subprocess.run(argv, capture_output=True, check=True).stdout
    status = Path(compiler).stat()
    told = [option for option in arguments if not option.startswith(("-I", "/"))]
    known = repr((os.path.realpath(compiler), status.st_size, status.st_mtime_ns, told)).encode()
    return hashlib.sha256(known + text).hexdigest()


def _compiled(compiler: str, results: Path, arguments: Sequence[str]) -> bytes:
    """What the compiler prints, that of an earlier call where it was the same.

    Raises:
        CalledProcessError: it refuses.
    """
    result = results / _key(compiler, arguments)
    with contextlib.suppress(FileNotFoundError):
        os.utime(result)
        return result.read_bytes()
    made = subprocess.run([compiler, *arguments], stdout=subprocess.PIPE, check=True).stdout
    with tempfile.NamedTemporaryFile(dir=results, delete=False) as unfinished:
        unfinished.write(made)
    Path(unfinished.name).rename(result)
    return made


def main(compiler: str, results: str, *arguments: str) -> None:
    """Compile to standard output as ``compiler`` does; what else it is asked, it does itself."""
    if "-c" in arguments and arguments[-2:] == ("-o", "-") and "-E" not in arguments:
        with contextlib.suppress(subprocess.CalledProcessError):  # it says itself what is wrong
            sys.stdout.buffer.write(_compiled(compiler, Path(results), arguments))
            return
    os.execv(compiler, [compiler, *arguments])


if __name__ == "__main__":
    main(*sys.argv[1:])
