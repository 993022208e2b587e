"""Container images as one file, in the form that ``docker save`` writes and engines import.

Source: https://github.com/moby/docker-image-spec, "Combined Image JSON + Filesystem Changeset
Format".
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import tarfile
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Files = Mapping[Path, Path | str | bytes]
    """What is at each absolute path: a copy of a file, a symbolic link (its target as text), or a
    program that is written down.
    """

SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH in an image."""

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def write(place: Path, names: Sequence[str], files: Files, command: Sequence[str] = ()) -> None:
    """Write at ``place`` an image of one layer with ``files``, under each of ``names``.

    What it is made of alone decides what is written, to the byte.
    """
    with (
        tempfile.TemporaryFile(dir=place.parent) as layer,
        tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as whole,
    ):
        try:
            _write_layer(layer, files)
            _write_image(whole, layer, names, command)
        except BaseException:
            Path(whole.name).unlink()
            raise
        Path(whole.name).replace(place)


def _write_image(
    stream: IO[bytes], layer: IO[bytes], names: Sequence[str], command: Sequence[str]
) -> None:
    layer.seek(0)
    digest = hashlib.file_digest(layer, "sha256").hexdigest()  # type: ignore[arg-type]
    configuration = json.dumps(
        {
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {"Env": [f"PATH={SEARCHED}"], "Cmd": list(command)},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    ).encode()
    identity = hashlib.sha256(configuration).hexdigest()
    manifest = [
        {"Config": f"{identity}.json", "RepoTags": list(names), "Layers": [f"{digest}/layer.tar"]}
    ]
    with tarfile.open(fileobj=stream, mode="w") as tar:
        size = layer.seek(0, os.SEEK_END)
        layer.seek(0)
        tar.addfile(_member(f"{digest}/layer.tar", size), layer)
        _add(tar, f"{identity}.json", configuration)
        _add(tar, "manifest.json", json.dumps(manifest).encode())


def _write_layer(stream: IO[bytes], files: Files) -> None:
    with tarfile.open(fileobj=stream, mode="w") as tar:
        links = {path for path, source in files.items() if isinstance(source, str)}
        folders = {folder for path in files for folder in path.parents} - links
        for folder in sorted(folders - {Path("/")}):
            tar.addfile(_member(_inside(folder), type=tarfile.DIRTYPE))
        for path, source in sorted(files.items()):
            if isinstance(source, str):
                tar.addfile(_member(_inside(path), type=tarfile.SYMTYPE, linkname=source))
            elif isinstance(source, bytes):
                _add(tar, _inside(path), source)
            else:
                with source.open("rb") as content:
                    tar.addfile(_member(_inside(path), source.stat().st_size), content)


def _inside(path: Path) -> str:
    return str(path.relative_to("/"))


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    tar.addfile(_member(name, len(content)), io.BytesIO(content))


def _member(name: str, size: int = 0, **fields: Any) -> tarfile.TarInfo:
    """A member that belongs to root, runs and has no date."""
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o755
    for field, value in fields.items():
        setattr(member, field, value)
    return member
