"""Reads and writes pinned BPF maps: a program of its own, run where they are pinned, by
``access.py FOLDER``. A JSON object on standard input names what is to be written, ``[map, key,
value]`` each (in hexadecimal; ``null`` for the value deletes) and which maps are to be read, which
are printed as another, ``{map: {key: value}}``.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOKUP, _UPDATE, _DELETE, _NEXT_KEY, _GET = 1, 2, 3, 4, 7  # commands of bpf(2)
_NUMBERS: Final = {"x86_64": 321, "aarch64": 280}
_SIZE: Final = 128  # bytes of union bpf_attr that the kernel is shown

_libc = ctypes.CDLL(None, use_errno=True)


def bpf(command: int, attributes: bytes) -> tuple[int, bytes]:
    """Call the kernel: what it returns, and what it has made of ``attributes``; raises OSError."""
    buffer = ctypes.create_string_buffer(attributes, _SIZE)
    number = _NUMBERS[platform.machine()]
    result = int(_libc.syscall(number, command, ctypes.byref(buffer), _SIZE))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result, buffer.raw


class Map:
    """A pinned map."""

    def __init__(self, path: Path) -> None:
        name = ctypes.create_string_buffer(os.fsencode(path))
        self._file, _ = bpf(_GET, struct.pack("=Q", ctypes.addressof(name)))
        told = Path(f"/proc/self/fdinfo/{self._file}").read_text()
        sizes = dict(line.split(":") for line in told.splitlines() if ":" in line)
        self._key, self._value = int(sizes["key_size"]), int(sizes["value_size"])

    def _element(
        self, command: int, key: bytes | None, value: ctypes.Array[ctypes.c_char] | None = None
    ) -> None:
        given = ctypes.create_string_buffer(key, self._key) if key is not None else None
        places = [0 if each is None else ctypes.addressof(each) for each in (given, value)]
        bpf(command, struct.pack("=I4xQQQ", self._file, *places, 0))

    def _keys(self) -> Iterator[bytes]:
        """All keys, for as long as nobody else deletes the one that was last."""
        key: bytes | None = None
        following = ctypes.create_string_buffer(self._key)
        with contextlib.suppress(FileNotFoundError):
            while True:
                self._element(_NEXT_KEY, key, following)
                key = following.raw
                yield key

    def read(self) -> dict[str, str]:
        """All of it."""
        value, found = ctypes.create_string_buffer(self._value), {}
        for key in list(self._keys()):
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                self._element(_LOOKUP, key, value)
                found[key.hex()] = value.raw.hex()
        return found

    def write(self, key: str, value: str | None) -> None:
        """Have a key another value, or none; it may have none already."""
        if value is not None:
            given = ctypes.create_string_buffer(bytes.fromhex(value), self._value)
            self._element(_UPDATE, bytes.fromhex(key), given)
        else:
            with contextlib.suppress(FileNotFoundError):
                self._element(_DELETE, bytes.fromhex(key))


def main(folder: Path) -> None:
    """Do as standard input says."""
    asked = json.load(sys.stdin)
    for name, key, value in asked["write"]:
        Map(folder / name).write(key, value)
    json.dump({name: Map(folder / name).read() for name in asked["read"]}, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
