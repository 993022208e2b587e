"""What tests of kind's Docker share: a machine without one, programs that pretend, an engine that
answers.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clusters import sandbox
from clusters.build.cache import cache_folder
from clusters.kind.docker import engine

if TYPE_CHECKING:
    from collections.abc import Callable

    Program = Callable[[str, str], Path]

REAL_CACHE = cache_folder()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, an environment that names no Docker, and no engine in the usual places."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOCACHE", os.environ.get("GOCACHE", str(REAL_CACHE.with_name("go-build"))))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(engine, "_USUAL", (tmp_path / "usual.sock",))
    # What a test sets is to be gone after it.
    monkeypatch.setenv(sandbox.KEEP, "")
    return tmp_path


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Put shell scripts first on PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def write(name: str, script: str) -> Path:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
        return folder / name

    return write
