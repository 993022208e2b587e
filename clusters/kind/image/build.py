"""A node image for kind where none can be pulled: Debian's packages, and Kubernetes from its Go
modules.

It is tagged with a digest of all that it is made of, so an image with that tag never needs to be
made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from clusters.build import artifacts
from clusters.build.artifacts import PINNED
from clusters.build.cache import cache_folder, claimed, digest, locked
from clusters.build.progress import Progress
from clusters.kind.image import base as image_base
from clusters.kind.image import node as image_node
from clusters.kind.image import programs as image_programs
from specification.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from clusters.kind.docker.engine import Engine

NAME = "kube-proxy-conformance/node"
"""The repository of node images: theirs alone."""

_PUBLISHED = "kindest/node"

SPACE = 5 * 10**9
"""Bytes that building takes on the way."""

_PATIENCE = 900.0  # seconds for loading, on a machine that is busy

kind = image_programs.kind

_RECIPE = ("archive", "node", "pods", "store")
"""Modules that decide what is in the image."""


def tag() -> str:
    """The tag of the image that this version of the suite makes."""
    return f"{NAME}:v{PINNED}-{_digest()}"


def is_own(name: str) -> bool:
    """Whether an image, by its name, is one that the suite made."""
    return name.startswith(f"{NAME}:")


def published(version: str = "") -> str:
    """The node image that kind's makers publish for a version of Kubernetes (``1.37.2``); without
    one, that which ``kind`` itself would take.
    """
    if version:
        return f"{_PUBLISHED}:v{version.removeprefix('v')}"
    # No command of kind tells it, but it is in the program.
    name = rb"%s:v[\d.]+@sha256:[0-9a-f]{64}" % _PUBLISHED.encode()
    match = re.search(name, kind().read_bytes())
    return match[0].decode() if match else f"{_PUBLISHED}:v{PINNED}"


def ensure(engine: Engine, progress: TextIO | None = None) -> str:
    """Have ``engine`` hold the image, which is made where it is not in the cache; its tag.

    Raises ArtifactError, one line, where it cannot be made.
    """
    name = tag()
    if not engine.holds(name):
        packed = build(progress)
        with Progress("loading the node image", progress):
            changes = (f"--change={change}" for change in image_node.SETTINGS)
            engine.docker("import", *changes, str(packed), name, timeout=_PATIENCE)
        if engine.own:
            _forget_outdated(engine, name)
    return name


def _forget_outdated(engine: Engine, name: str) -> None:
    listed = engine.docker("image", "ls", "--format={{.Repository}}:{{.Tag}}", NAME).stdout.split()
    outdated = [one for one in listed if one != name]
    if outdated:
        engine.docker("image", "rm", "--force", *outdated)


def build(progress: TextIO | None = None) -> Path:
    """Make the image unless it is in the cache, and return its archive.

    Raises ArtifactError where root, a program or disk space is missing, or a step fails.
    """
    folder = _folder()
    path = folder / f"node-{_digest()}.tar"
    if path.exists():
        return path
    _check()
    with _working(progress) as work:
        if not path.exists():
            programs: dict[str, Path] = dict(artifacts.ensure(progress=progress))
            for name in ("kubernetes", "pause"):
                programs[name] = image_programs.ensure(name, progress)
            base = image_base.ensure(work, progress)
            with Progress("packing the node image (once)", progress) as step:
                packed = image_node.pack(base, programs, work, step)
            for outdated in folder.glob("node-*.tar"):
                outdated.unlink()
            packed.replace(path)
    return path


def remove_unfinished() -> bool:
    """Remove what a killed process has left that built an image; whether there was something."""
    folder = _folder()
    if not (folder / "unfinished").exists():
        return False
    with claimed(folder / "build.lock") as free:
        if free:  # else it is being built
            shutil.rmtree(folder / "unfinished")
        return free


def _folder() -> Path:
    return cache_folder() / "kind"


@contextlib.contextmanager
def _working(progress: TextIO | None) -> Iterator[Path]:
    """A folder to build in, one process at a time; what a killed one left in it is removed."""
    folder = _folder()
    with locked(folder / "build.lock", "waiting: another process builds a node image", progress):
        work = folder / "unfinished"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _digest() -> str:
    """A digest of all that the image is made of, and of how."""
    described = [image_base.location().name]
    described += [artifacts.location(name).parent.name for name in artifacts.NAMES]
    described += [image_programs.location(name).parent.name for name in ("kubernetes", "pause")]
    files = [path for path in image_node.FILES.rglob("*") if path.is_file()]
    for file in (*(Path(__file__).with_name(f"{name}.py") for name in _RECIPE), *sorted(files)):
        place = file.relative_to(image_node.FILES) if file in files else file.name
        described += [str(place), hashlib.sha256(file.read_bytes()).hexdigest()]
    return digest(json.dumps(described))


def _check() -> None:
    if os.geteuid() != 0:
        raise ArtifactError("a node image can be built by root alone: run this as root")
    missing = {
        program: package
        for program, package in image_base.NEEDED.items()
        if not shutil.which(program)
    }
    if not image_base.KEYRING.exists():
        missing["Debian's keys"] = "debian-archive-keyring"
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        raise ArtifactError(
            f"a node image is built with {', '.join(missing)}: apt-get install {packages}"
        )
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < SPACE:
        raise ArtifactError(
            f"building a node image takes {SPACE / 1e9:.0f} GB and {folder} has"
            f" {free / 1e9:.1f} GB: make room, or set XDG_CACHE_HOME to where there is some"
        )
