"""The programs of a node and of kind, built from their Go modules into the cache."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from clusters.build import toolchain
from clusters.build.artifacts import PINNED
from clusters.build.progress import Progress
from clusters.build.toolchain import cache_folder, locked
from specification.errors import ArtifactError

if TYPE_CHECKING:
    from typing import TextIO

MODULE = Path(__file__).parents[1] / "programs"
KIND = "sigs.k8s.io/kind"
_PACKAGES = {
    "bounded": "./bounded",
    "kind": KIND,
    "kubernetes": "./kubernetes",
    "pause": "./pause",
}


def location(name: str) -> Path:
    """Where a program is, or will be once built; its folder names what it was made from."""
    digest = hashlib.sha256(f"{os.uname().machine} {_stamp()}".encode())
    for source in (MODULE / "go.mod", MODULE / "go.sum", *sorted((MODULE / name).glob("*.go"))):
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    return cache_folder() / "kind" / "programs" / f"{name}-{digest.hexdigest()[:12]}" / name


def ensure(name: str, progress: TextIO | None = None) -> Path:
    """Build the program unless it is in the cache, and return where it is.

    Raises ArtifactError with one line that says what failed.
    """
    path = location(name)
    if not path.exists():
        lock = path.parent.with_name(f"{path.parent.name}.lock")
        with locked(lock, f"waiting: another process builds {name}", progress):
            if not path.exists():
                _build(name, path, progress)
    return path


def kind(progress: TextIO | None = None) -> Path:
    """``kind``: the one on PATH, unless it is older than the pinned one, which is built then."""
    found = shutil.which("kind")
    if found and _version(found) >= toolchain.parse(pinned_kind()):
        return Path(found)
    return ensure("kind", progress)


def pinned_kind() -> str:
    """The version of kind that is built, such as ``0.33.0``."""
    match = re.search(rf"\b{re.escape(KIND)} v(\S+)", (MODULE / "go.mod").read_text())
    if match is None:
        raise ArtifactError(f"clusters/kind/programs/go.mod requires no {KIND}")
    return match[1]


def _version(program: str) -> tuple[int, ...]:
    """The version of a ``kind``; empty where it does not say one."""
    try:
        done = subprocess.run([program, "version"], capture_output=True, text=True, check=False)
    except OSError:
        return ()
    match = re.match(r"kind v(\S+)", done.stdout)
    return toolchain.parse(match[1]) if match else ()


def _stamp() -> str:
    """Linker flags that tell Kubernetes its version, which kubeadm compares with the cluster's."""
    major, minor, _ = PINNED.split(".", 2)
    values = {"gitVersion": f"v{PINNED}", "gitMajor": major, "gitMinor": minor}
    set_values = (f"-X k8s.io/component-base/version.{key}={values[key]}" for key in values)
    return " ".join(["-s -w", *set_values])


def _build(name: str, path: Path, progress: TextIO | None) -> None:
    match = re.search(r"^go (\S+)$", (MODULE / "go.mod").read_text(), re.MULTILINE)
    if match is None:
        raise ArtifactError("clusters/kind/programs/go.mod names no version of Go")
    go = toolchain.need(match[1], progress)
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    with (
        Progress(f"building {name} for kind (once)", progress) as step,
        tempfile.TemporaryDirectory(prefix="unfinished-", dir=path.parent.parent) as folder,
    ):
        unfinished = Path(folder, name)
        flags = ["-v", "-trimpath", "-mod=readonly", "-ldflags", _stamp(), "-o", str(unfinished)]
        toolchain.run(go, ["build", *flags, _PACKAGES[name]], MODULE, step)
        path.parent.mkdir(exist_ok=True)
        unfinished.replace(path)
