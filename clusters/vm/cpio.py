"""Archives that the kernel unpacks into its first file system ("newc" cpio).

Source: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

_ALIGNMENT = 4


class Archive:
    """An archive that is being written to a stream; everything in it belongs to root."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._inode = 0
        self._folders: set[Path] = set()

    def file(self, path: Path, content: bytes, mode: int = 0o755) -> None:
        """Add a file at the absolute ``path``, and the folders that lead to it."""
        self._lead_to(path)
        self._entry(path, stat.S_IFREG | mode, content)

    def link(self, path: Path, target: Path) -> None:
        """Add a symbolic link at the absolute ``path``."""
        self._lead_to(path)
        self._entry(path, stat.S_IFLNK | 0o777, str(target).encode())

    def folder(self, path: Path) -> None:
        """Add a folder, unless it is there, and the folders that lead to it."""
        if path in self._folders or path == path.parent:
            return
        self._lead_to(path)
        self._folders.add(path)
        self._entry(path, stat.S_IFDIR | 0o755, b"")

    def close(self) -> None:
        """Write the end of the archive; the stream stays open."""
        self._header("TRAILER!!!", 0, 0)

    def _lead_to(self, path: Path) -> None:
        self.folder(path.parent)

    def _entry(self, path: Path, mode: int, content: bytes) -> None:
        self._header(str(path).lstrip("/"), mode, len(content))
        self._stream.write(content)
        self._pad(len(content))

    def _header(self, name: str, mode: int, size: int) -> None:
        self._inode += 1
        encoded = name.encode() + b"\0"
        links, device = 1, (0, 0)
        fields = (self._inode, mode, 0, 0, links, 0, size, *device, *device, len(encoded), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self._stream.write(header + encoded)
        self._pad(len(header) + len(encoded))

    def _pad(self, written: int) -> None:
        self._stream.write(bytes(-written % _ALIGNMENT))
