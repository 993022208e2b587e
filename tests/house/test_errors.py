"""Every error of ours is of one of the two families of specification/errors.py, or a verdict."""

import ast

from tests.conftest import ROOT
from tests.house import ROOMS

ROOTS = {"SuiteError", "AssertionError"}
"""No verdict; the proxy is wrong."""


def errors(source: str) -> dict[str, set[str]]:
    """The classes of a module that are errors by their name, and what each derives from."""
    return {
        node.name: {ast.unparse(base) for base in node.bases}
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ClassDef) and node.name.endswith("Error")
    }


def test_every_error_is_of_a_family() -> None:
    found: dict[str, set[str]] = {}
    for room in ROOMS:
        for file in (ROOT / room).rglob("*.py"):
            found |= errors(file.read_text())
    records = {name for name, bases in found.items() if "Record" in bases}
    known = ROOTS | set(found)
    stray = {name: bases for name, bases in found.items() if bases and not bases & known}
    assert stray.keys() - records == {"SuiteError"}


def test_a_stray_error_is_noticed() -> None:
    assert errors("class LostError(RuntimeError): ...") == {"LostError": {"RuntimeError"}}
