"""What lies beneath everything else stands on the standard library alone."""

import ast
import subprocess
import sys

import pytest

from tests.conftest import ROOT

BELOW = {"specification": {"specification"}, "launch": {"launch", "clusters", "specification"}}
"""Rooms that need no environment, and the rooms of ours that they may import."""

MODULES = 72
"""What importing the ground floor may load at most, all in all: so many take some 36 ms (and time
itself would be another verdict on a busy machine)."""


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
    files = (ROOT / "specification").rglob("[!_]*.py")
    modules = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]
    program = (
        "import sys; before = set(sys.modules);"
        f"import {', '.join(modules)}; print(len(set(sys.modules) - before))"
    )
    argv = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {program}"]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    assert len(modules) < int(done.stdout) <= MODULES
