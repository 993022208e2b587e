"""What lies beneath everything else stands on the standard library alone."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

BELOW = {"specification": {"specification"}, "launch": {"launch", "clusters", "specification"}}
"""Rooms that need no environment, and the rooms of ours that they may import."""

SECONDS = 0.05
"""Of processor time to import the ground floor."""


def foreign(source: str, ours: set[str]) -> set[str]:
    """Packages that a module imports, at whatever place, and should not."""
    nodes = list(ast.walk(ast.parse(source)))
    names = {each.name for node in nodes if isinstance(node, ast.Import) for each in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names} - ours - set(sys.stdlib_module_names)


@pytest.mark.parametrize("room", BELOW)
def test_a_room_below_needs_the_standard_library_alone(room: str) -> None:
    found = {
        str(file.relative_to(ROOT)): foreign(file.read_text(), BELOW[room])
        for file in (ROOT / room).rglob("*.py")
    }
    assert {file: names for file, names in found.items() if names} == {}


def test_a_foreign_import_is_noticed() -> None:
    assert foreign("def f():\n    from numpy.typing import NDArray\n", {"launch"}) == {"numpy"}


def test_the_ground_floor_is_there_at_once() -> None:
    modules = [
        f"specification.{file.stem}" for file in Path(ROOT / "specification").glob("[!_]*.py")
    ]
    program = (
        "import time; start = time.process_time();"
        f"import {', '.join(modules)}; print(time.process_time() - start)"
    )
    argv = [sys.executable, "-c", program]
    run = [subprocess.run(argv, cwd=ROOT, check=True, capture_output=True) for _ in range(5)]
    assert min(float(done.stdout) for done in run) < SECONDS
