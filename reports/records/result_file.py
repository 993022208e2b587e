"""The bytes of a result or bench file: plain or compressed, given by itself or by its folder."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Final

from reports.records.base import made
from specification.errors import ResultFileError

AGAIN: Final = "the run did not end properly (killed, or its disk was full); run it again"

_UNPACK: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    ".gz": gzip.decompress,
    ".xz": lzma.decompress,
}


def locate(path: Path | str, name: str) -> Path:
    """The file that a path means: itself, or in a folder the one called `name` (or .gz, .xz).

    Raises ResultFileError for a folder without such a file.
    """
    path = Path(path)
    if not path.is_dir():
        return path
    for suffix in ("", *_UNPACK):
        if (path / f"{name}{suffix}").is_file():
            return path / f"{name}{suffix}"
    raise ResultFileError(f"{path}: holds no {name}; give the folder of a run, or a result file")


def content(path: Path) -> bytes:
    """The whole file, decompressed where its name ends in .gz or .xz.

    Raises ResultFileError when it is missing, empty, cut off or cannot be read.
    """
    unpack = _UNPACK.get(path.suffix, bytes)
    try:
        read = unpack(path.read_bytes())
    except FileNotFoundError:
        raise ResultFileError(f"{path}: no such file; give the folder of a run") from None
    except (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile) as error:
        raise ResultFileError(
            f"{path}: is cut off or no {path.suffix} file ({error}); copy it again"
        ) from error
    except OSError as error:
        raise ResultFileError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not read:
        raise ResultFileError(f"{path}: is empty; {AGAIN}")
    if not read.endswith(b"\n"):
        raise ResultFileError(f"{path}: its last line is cut off; {AGAIN}")
    return read


def digest(lines: bytes) -> str:
    """What a footer says of all lines before it, line ends included: `sha256:` and 64 digits."""
    return f"sha256:{hashlib.sha256(lines).hexdigest()}"


def check_digest(path: Path, read: bytes, said: str | None) -> None:
    """Compare the digest in a footer, if there is one, with the lines before it.

    Raises ResultFileError when they differ: somebody has edited the file.
    """
    before = read[: read.rindex(b"\n", 0, len(read) - 1) + 1] if read.count(b"\n") > 1 else b""
    if said is not None and said != digest(before):
        raise ResultFileError(
            f"{path}: is not what the run wrote: its lines do not match the digest in its footer; "
            "use the file as the run left it"
        )


def complete(path: Path, kinds: UnionType, *, header: str, version: int) -> list[Any]:
    """The records of a result file that is whole, each of one of the `kinds`: its first has the
    type `header`, its last is the footer.

    Raises ResultFileError.
    """
    read = content(path)
    lines = [parsed(line, place(path, at)) for at, line in enumerate(read.splitlines(), start=1)]
    types = [line.get("type") for line in lines]
    if types[0] != header:
        raise ResultFileError(f"{path}: has no header in its first line; is it a result file?")
    if types.count(header) > 1:
        raise ResultFileError(
            f"{path}: holds the headers of {types.count(header)} runs; join result files with: "
            "./conform results merge"
        )
    if lines[0].get("schema") != version:
        raise ResultFileError(
            f"{path}: has schema version {lines[0].get('schema')}, this program reads version"
            f" {version}; use the version of the suite that wrote it"
        )
    if "end" in types[:-1] or types[-1] != "end":
        raise ResultFileError(f"{path}: has no footer in its last line; {AGAIN}")
    records = [made(line, kinds, place(path, at)) for at, line in enumerate(lines, start=1)]
    *before, end = records
    if end.lines != len(before):
        raise ResultFileError(
            f"{path}: has {len(before)} lines before its footer, which counted {end.lines}; {AGAIN}"
        )
    check_digest(path, read, end.digest)
    return records


def place(path: Path, number: int) -> str:
    """Where a record stands, counted from 1."""
    return f"{path}, line {number}"


def parsed(line: bytes, where: str, remedy: str = AGAIN) -> dict[str, Any]:
    """The members of the record in a line. Raises ResultFileError."""
    try:
        values = json.loads(line)
    except ValueError as error:
        raise ResultFileError(f"{where}: is no JSON ({error}); {remedy}") from error
    if not isinstance(values, dict):
        raise ResultFileError(f"{where}: is no JSON object; {remedy}")
    return values
