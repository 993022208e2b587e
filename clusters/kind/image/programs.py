"""The programs of a node and of kind, built from their Go modules into the cache."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clusters.build import artifacts, toolchain
from clusters.build.artifacts import PINNED
from clusters.build.cache import cache_folder, digest
from clusters.build.progress import Progress

if TYPE_CHECKING:
    from typing import TextIO

MODULE = Path(__file__).parents[1] / "programs"
KIND = "sigs.k8s.io/kind"


def location(name: str) -> Path:
    """Where a program is, or will be once built; its folder names what it was made from."""
    sources = (MODULE / "go.mod", MODULE / "go.sum", *sorted((MODULE / name).glob("*.go")))
    made_of = digest(f"{os.uname().machine} {_stamp()}", sources)
    return cache_folder() / "kind" / "programs" / f"{name}-{made_of}" / name


def ensure(name: str, progress: TextIO | None = None) -> Path:
    """Build the program unless it is in the cache, and return where it is.

    Raises ArtifactError with one line that says what failed.
    """
    path = location(name)
    return artifacts.built(path, name, partial(_build, path, progress), progress)


def kind(progress: TextIO | None = None) -> Path:
    """``kind``: the one on PATH, unless it is older than the pinned one, which is built then."""
    found = shutil.which("kind")
    if found and _version(found) >= toolchain.parse(pinned_kind()):
        return Path(found)
    return ensure("kind", progress)


def pinned_kind() -> str:
    """The version of kind that is built, such as ``0.33.0``."""
    return artifacts.stated(KIND, MODULE).removeprefix("v")


def _version(program: str) -> tuple[int, ...]:
    """The version of a ``kind``; empty where it does not say one."""
    try:
        done = subprocess.run([program, "version"], capture_output=True, text=True, check=False)
    except OSError:
        return ()
    match = re.match(r"kind v(\S+)", done.stdout)
    return toolchain.parse(match[1]) if match else ()


def _stamp() -> str:
    """The version of Kubernetes, which kubeadm compares with the cluster's."""
    major, minor, _ = PINNED.split(".", 2)
    return artifacts.stamp(gitVersion=f"v{PINNED}", gitMajor=major, gitMinor=minor)


def _build(path: Path, progress: TextIO | None) -> None:
    go = toolchain.need(artifacts.stated("go", MODULE), progress)
    with Progress(f"building {path.name} for kind (once)", progress) as step:
        package = KIND if path.name == "kind" else f"./{path.name}"
        artifacts.compile_to(path, package, go, MODULE, _stamp(), step, "readonly")
