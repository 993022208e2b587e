"""What the suite reaches of a program, from what Go's tools print of it (`go tool covdata`)."""

from __future__ import annotations

import bisect
import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Final, Self

HOME: Final = "k8s.io/kubernetes/"
"""What every package of the program has in front of its name."""

_FUNCTION: Final = re.compile(rf"{HOME}(.+?)/([^/]+\.go):(\d+):\s+(\S+)\s+[\d.]+%")
_BLOCK: Final = re.compile(rf"{HOME}(\S+\.go):(\d+)\.(\d+),(\d+)\.(\d+) (\d+) (\d+)")


@dataclass(frozen=True, order=True)
class Block:
    """Statements that follow each other without a branch, and the modes in which they were reached.
    Its first line is that of the condition which leads there.
    """

    first: int
    column: int
    last: int
    statements: int
    modes: frozenset[str]


@dataclass(frozen=True)
class Function:
    """A function, with what is defined inside it."""

    package: str
    file: str
    """With its package: ``pkg/proxy/nftables/proxier.go``."""
    line: int
    name: str
    """As in ``(*Proxier).Sync``."""
    blocks: tuple[Block, ...]

    @property
    def full_name(self) -> str:
        """With its package, by which patterns find it: ``pkg/proxy/nftables.(*Proxier).Sync``."""
        return f"{self.package}.{self.name}"

    @property
    def missed(self) -> tuple[Block, ...]:
        """What no mode has reached."""
        return tuple(block for block in self.blocks if not block.modes)


@dataclass(frozen=True)
class Coverage:
    """What was reached, in each of the ``modes`` that ran."""

    modes: tuple[str, ...]
    functions: tuple[Function, ...]

    @classmethod
    def read(cls, printed: Mapping[str, tuple[str, str]]) -> Self:
        """What `covdata textfmt` and `covdata func` have printed, by mode.

        Raises ValueError where there is no function in it: the format is not the known one.
        """
        starts = _starts(functions for _, functions in printed.values())
        if not starts:
            raise ValueError("no function of Kubernetes is among what go tool covdata has printed")
        reached = _blocks({mode: profile for mode, (profile, _) in printed.items()})
        grouped: dict[tuple[str, str], list[Block]] = {}
        for file, block in reached:
            lines = starts.get(file, [])
            place = bisect.bisect_right(lines, block.first, key=itemgetter(0))
            grouped.setdefault((file, lines[place - 1][1] if place else "init"), []).append(block)
        first = {
            (file, name): line for file, found in starts.items() for line, name in reversed(found)
        }
        return cls(
            tuple(printed),
            tuple(
                Function(file.rpartition("/")[0], file, first.get((file, name), 1), name, tuple(b))
                for (file, name), b in sorted(grouped.items())
            ),
        )

    @cached_property
    def packages(self) -> dict[str, tuple[Function, ...]]:
        """The functions by package."""
        names = sorted({function.package for function in self.functions})
        return {name: tuple(one for one in self.functions if one.package == name) for name in names}

    def unreached(self, absent: Iterable[str]) -> list[Function]:
        """Functions of which something was reached in no mode, the most statements first; none of
        the packages of modes that are ``absent`` from the run.
        """
        others = tuple(f"pkg/proxy/{mode}" for mode in absent)
        found = [one for one in self.functions if one.missed and not one.package.startswith(others)]
        return sorted(found, key=lambda one: (-statements(one.missed), one.full_name))


def statements(blocks: Iterable[Block]) -> int:
    """How many there are."""
    return sum(block.statements for block in blocks)


def share(functions: Iterable[Function], mode: str) -> float | None:
    """The part of the statements of functions that was reached in a mode; ``None`` of nothing."""
    blocks = [block for function in functions for block in function.blocks]
    reached = statements(block for block in blocks if mode in block.modes)
    whole = statements(blocks)
    return reached / whole if whole else None


def reasons(function: Function, known: Mapping[str, str]) -> list[str]:
    """Why nothing reaches a function, of what is ``known`` by patterns of full names."""
    return [why for pattern, why in known.items() if _names(pattern, function)]


def stale(coverage: Coverage, known: Mapping[str, str]) -> list[str]:
    """What is wrong with the reasons that are ``known``: that something of a function was reached,
    or that a pattern is of no function at all.
    """
    said = []
    for pattern in known:
        found = [function for function in coverage.functions if _names(pattern, function)]
        if not found:
            said.append(f"there is no function {pattern}")
        for function in found:
            modes = sorted(frozenset[str]().union(*(block.modes for block in function.blocks)))
            said += [f"{function.full_name} is reached in {mode} mode" for mode in modes]
    return said


def _names(pattern: str, function: Function) -> bool:
    # in names of methods stand characters that patterns know
    escaped = pattern.replace("[", "[[]")
    return fnmatch.fnmatchcase(function.full_name, escaped)


def _starts(printed: Iterable[str]) -> dict[str, list[tuple[int, str]]]:
    """Where functions begin, by file and in order: the line and the name."""
    found: dict[str, set[tuple[int, str]]] = {}
    for text in printed:
        for package, file, line, name in _FUNCTION.findall(text):
            method = re.sub(r"^(\*.+?)\.", r"(\1).", name)  # Go's own traces have it so, too
            found.setdefault(f"{package}/{file}", set()).add((int(line), method))
    return {file: sorted(lines) for file, lines in found.items()}


def _blocks(profiles: Mapping[str, str]) -> Sequence[tuple[str, Block]]:
    """All blocks, with their files, in order."""
    reached: dict[tuple[str, int, int, int, int, int], set[str]] = {}
    for mode, profile in profiles.items():
        for file, *numbers in _BLOCK.findall(profile):
            first, column, last, end, count, times = map(int, numbers)
            modes = reached.setdefault((file, first, column, last, end, count), set())
            if times:
                modes.add(mode)
    return [
        (file, Block(first, column, last, count, frozenset(modes)))
        for (file, first, column, last, _, count), modes in sorted(reached.items())
    ]
