"""A fault as what is put into kube-proxy's source, in Go."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.mutants.mutant import Mutant

PACKAGE = "kube-proxy-conformance/clusters/build/mutants"
"""Says which mutant kube-proxy is: ``tests/mutants/program/mutants.go``."""


class Insertion(NamedTuple):
    """A statement that is there with a mutant alone."""

    file: str
    """In the module k8s.io/kubernetes."""
    lines: str
    """One line of the file, or some that follow each other, without indentation; there is one such
    place.
    """
    statement: str
    """In terms of what the file knows, and of the package ``mutants``."""
    where: str
    """Before these lines, after them, or instead of them, which is for whole statements."""

    def into(self, text: str, name: str) -> str:
        """The file's text with it.

        Raises:
            ValueError: the text has no such place, or several.
        """
        lines = text.splitlines()
        stripped, wanted = [line.strip() for line in lines], self.lines.splitlines()
        places = [
            place for place in range(len(lines)) if stripped[place : place + len(wanted)] == wanted
        ]
        if len(places) != 1:
            raise ValueError(f"{name}: {self.file} has {len(places)} places {self.lines!r}")
        first, end = places[0], places[0] + len(wanted)
        there = lines[first:end]
        guarded = f'if mutants.Is("{name}") {{ {self.statement} }}'
        lines[first:end] = {
            "before": [guarded, *there],
            "after": [*there, guarded],
            "instead": [f"{guarded} else {{", *there, "}"],
        }[self.where]
        return "".join(f"{line}\n" for line in lines)


def before(file: str, lines: str, statement: str) -> Insertion:
    """See ``Insertion``."""
    return Insertion(file, lines, statement, "before")


def after(file: str, lines: str, statement: str) -> Insertion:
    """See ``Insertion``."""
    return Insertion(file, lines, statement, "after")


def instead(file: str, lines: str, statement: str = "") -> Insertion:
    """See ``Insertion``; without a statement nothing is done instead."""
    return Insertion(file, lines, statement, "instead")


def mutant(name: str, breaks: str, insertions: list[Insertion], *killed_by: str) -> Mutant:
    """The mutant with these faults. Its ``mutate`` takes the texts of files, by their paths, with
    the faults of others, and what reads a file that is not among them; it returns the texts with
    its own.
    """

    def mutate(texts: dict[str, str], read: Callable[[str], str]) -> dict[str, str]:
        for each in insertions:
            text = texts[each.file] if each.file in texts else read(each.file)
            texts[each.file] = each.into(text, name)
        return texts

    return Mutant(name, breaks, killed_by, mutate, of="program")
