"""A result file as text in a log, and out of it again: base64 between two lines, as in RFC 7468."""

from __future__ import annotations

import base64
import lzma
import re
from typing import TYPE_CHECKING, Final

from reports.records import result_file
from specification.errors import ResultFileError

if TYPE_CHECKING:
    from pathlib import Path

_BEGIN: Final = "-----BEGIN CONFORMANCE RESULTS-----\n"
_END: Final = "-----END CONFORMANCE RESULTS-----\n"
_BLOCK: Final = re.compile(f"^{_BEGIN}(.*?)^{_END}", re.MULTILINE | re.DOTALL)


def text(path: Path) -> str:
    """A result file, compressed, in lines of 76 characters."""
    packed = lzma.compress(result_file.content(path))
    return f"{_BEGIN}{base64.encodebytes(packed).decode()}{_END}"


def read(log: Path) -> list[bytes]:
    """What was printed into a log, each as the content of a ``.jsonl.xz``.

    Raises ResultFileError where something of it was cut off.
    """
    said = log.read_text(errors="replace")
    found = _BLOCK.findall(said)
    if len(found) < said.count(_BEGIN):
        raise ResultFileError(f"{log}: results in it are cut off: fetch the log again, and whole")
    return [base64.b64decode(block) for block in found]
