"""What the suite reaches of a program, from what Go's tools print of it (`go tool covdata`)."""

from __future__ import annotations

import bisect
import fnmatch
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Final, Protocol, Self

_HOME: Final = "k8s.io/kubernetes/"  # what every package has in front of its name
_FUNCTION: Final = re.compile(rf"{_HOME}(\S+\.go):(\d+):\s+(\S+)\s+[\d.]+%")
_BLOCK: Final = re.compile(rf"{_HOME}(\S+\.go):(\d+)\.(\d+),(\d+)\.(\d+) (\d+) (\d+)")


class Reason(Protocol):
    """Why something is not reached."""

    @property
    def functions(self) -> Sequence[str]:
        """Patterns of functions' full names."""

    @property
    def branches(self) -> Sequence[str]:
        """Texts that stand in the branches which it is about; all of the functions where none."""

    @property
    def reason(self) -> str:
        """A sentence."""


@dataclass(frozen=True)
class Block:
    """Statements that follow each other without a branch, and the modes in which they were reached.
    ``text`` is the line that leads there, as a rule with a condition, and the next.
    """

    line: int
    text: str
    statements: int
    modes: frozenset[str]


@dataclass(frozen=True)
class Function:
    """A function, with what is defined inside it."""

    file: str
    """With its package: ``pkg/proxy/nftables/proxier.go``."""
    name: str
    """As in ``(*Proxier).Sync``."""
    blocks: tuple[Block, ...]

    @property
    def package(self) -> str:
        """Its package, without whose it is: ``pkg/proxy/nftables``."""
        return self.file.rpartition("/")[0]

    @property
    def full_name(self) -> str:
        """With its package: ``pkg/proxy/nftables.(*Proxier).Sync``."""
        return f"{self.package}.{self.name}"

    @property
    def missed(self) -> tuple[Block, ...]:
        """What no mode has reached."""
        return tuple(block for block in self.blocks if not block.modes)


@dataclass(frozen=True)
class Coverage:
    """What was reached, in each of the ``modes`` that ran, and what is known of the rest."""

    modes: tuple[str, ...]
    functions: tuple[Function, ...]
    known: Collection[Reason]
    pinned: bool
    """Whether it is the release that what is known was written of: so that all of it is there."""

    @classmethod
    def read(
        cls,
        printed: Mapping[str, tuple[str, str]],
        known: Collection[Reason],
        sources: Path,
        *,
        pinned: bool,
    ) -> Self:
        """What `covdata textfmt` and `covdata func` have printed, by mode; ``sources`` is where the
        program's module is. Without it there are no texts, and what is known of branches is wrong.

        Raises ValueError where there is no function in it: the format is not the known one.
        """
        starts = _starts(functions for _, functions in printed.values())
        if not starts:
            raise ValueError("no function of Kubernetes is among what go tool covdata has printed")
        grouped: dict[tuple[str, str], list[Block]] = {}
        for file, block in _blocks({mode: printed[mode][0] for mode in printed}, sources):
            lines = starts.get(file, [])
            place = bisect.bisect_right(lines, block.line, key=itemgetter(0))
            grouped.setdefault((file, lines[place - 1][1] if place else "init"), []).append(block)
        functions = (Function(*where, tuple(blocks)) for where, blocks in sorted(grouped.items()))
        return cls(tuple(printed), tuple(functions), known, pinned)

    @cached_property
    def packages(self) -> dict[str, tuple[Function, ...]]:
        """The functions by package."""
        found: dict[str, list[Function]] = {}
        for function in self.functions:
            found.setdefault(function.package, []).append(function)
        return {name: tuple(functions) for name, functions in sorted(found.items())}

    def unreached(self, absent: Iterable[str]) -> list[Function]:
        """Functions of which some was reached in no mode, those first of which most was missed;
        none of the packages of modes that are ``absent`` from the run.
        """
        others = tuple(f"pkg/proxy/{mode}" for mode in absent)
        found = [one for one in self.functions if one.missed and not one.package.startswith(others)]
        return sorted(found, key=lambda one: (-statements(one.missed), one.full_name))

    def why(self, function: Function, block: Block) -> str:
        """Why nothing reaches a block of a function; empty where that is not known."""
        for each in self.known:
            here = any(_named(pattern, function) for pattern in each.functions)
            if here and (not each.branches or any(text in block.text for text in each.branches)):
                return each.reason
        return ""

    @cached_property
    def stale(self) -> list[str]:
        """What is wrong with what is known: it was reached, or is not there though it has to be."""
        return [fault for each in self.known for fault in self._faults(each)]

    def _faults(self, reason: Reason) -> Iterator[str]:
        found: list[Function] = []
        for pattern in reason.functions:
            named = [one for one in self.functions if _named(pattern, one)]
            found += named
            if self.pinned and not named:
                yield f"there is no function {pattern}"
        for text in reason.branches or ("",):
            blocks = [(one, block) for one in found for block in one.blocks if text in block.text]
            if self.pinned and found and not blocks:
                yield f"there is no branch {text!r} in {' and '.join(reason.functions)}"
            for one, block in blocks:
                if block.modes:
                    modes = " and ".join(sorted(block.modes))
                    yield f"{one.full_name} is reached in {modes} mode, at line {block.line}"


def statements(blocks: Iterable[Block]) -> int:
    """How many there are."""
    return sum(block.statements for block in blocks)


def share(functions: Iterable[Function], mode: str) -> float | None:
    """The part of the statements of functions that was reached in a mode; ``None`` of nothing."""
    blocks = [block for function in functions for block in function.blocks]
    whole = statements(blocks)
    return statements(b for b in blocks if mode in b.modes) / whole if whole else None


def _named(pattern: str, function: Function) -> bool:
    return fnmatch.fnmatchcase(function.full_name, pattern)


def _starts(printed: Iterable[str]) -> dict[str, list[tuple[int, str]]]:
    """Where functions begin, by file and in order: the line and the name."""
    found: dict[str, set[tuple[int, str]]] = {}
    for text in printed:
        for file, line, name in _FUNCTION.findall(text):
            method = re.sub(r"^(\*.+?)\.", r"(\1).", name)  # Go's own traces have it so, too
            found.setdefault(file, set()).add((int(line), method))
    return {file: sorted(lines) for file, lines in found.items()}


def _blocks(profiles: Mapping[str, str], sources: Path) -> Iterator[tuple[str, Block]]:
    """All blocks, with their files, in order."""
    reached: dict[tuple[str, int, int, int, int, int], set[str]] = {}
    for mode, profile in profiles.items():
        for file, *numbers in _BLOCK.findall(profile):
            first, column, last, end, count, times = map(int, numbers)
            modes = reached.setdefault((file, first, column, last, end, count), set())
            if times:
                modes.add(mode)
    texts: dict[str, list[str]] = {}
    for (file, first, _, last, _, count), modes in sorted(reached.items()):
        if file not in texts:
            source = sources / file
            texts[file] = source.read_text().splitlines() if source.is_file() else []
        lines = texts[file][first - 1 : min(first + 1, last)]
        yield file, Block(first, " ".join(map(str.strip, lines)), count, frozenset(modes))
