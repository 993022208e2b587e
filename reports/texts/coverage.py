"""What the suite reaches of a program: a page of Markdown, and the little that a terminal shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from reports.model.coverage import reasons, share, stale, statements

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from reports.model.coverage import Block, Coverage, Function

_MOST: Final = 15  # functions that the terminal shows; the page has all


@dataclass(frozen=True)
class Report:
    """What of ``subject`` was reached; ``known`` are reasons why some is not, by patterns of
    functions, ``absent`` the modes that did not run, and ``sources`` where its module is, if it is.
    """

    subject: str
    coverage: Coverage
    known: Mapping[str, str]
    absent: tuple[str, ...]
    sources: Path

    @cached_property
    def stale(self) -> list[str]:
        """What is wrong with the reasons."""
        return stale(self.coverage, self.known)

    def terminal(self, page: Path) -> str:
        """Packages by modes, and the functions of which most is not reached; in ASCII."""
        modes = self.coverage.modes
        width = max(map(len, self.coverage.packages))
        lines = [" " * width + "".join(f"  {mode:>8}" for mode in modes)]
        for name, functions in self.coverage.packages.items():
            cells = "".join(f"  {_percent(share(functions, mode)):>8}" for mode in modes)
            lines.append(f"{name:{width}}{cells}")
        lines += ["", "Statements that no test reaches, by function"]
        unexplained = [one for one in self._unreached if not reasons(one, self.known)]
        for one in unexplained[:_MOST]:
            missed, whole = statements(one.missed), statements(one.blocks)
            lines.append(f"  {missed:4} of {whole:4}  {one.full_name}")
        if len(unexplained) > _MOST:
            lines.append(f"  and of {len(unexplained) - _MOST} more, in the report")
        lines += ["", *(f"{mode} mode: {self._of_the_proxier(mode)}" for mode in modes)]
        lines += [f"error: a reason is wrong: {each}" for each in self.stale]
        return "\n".join([*lines, f"Report: {page}"])

    def markdown(self) -> str:
        """Everything: packages, what is not reached and why, branches, and all functions."""
        modes = self.coverage.modes
        return "\n".join(
            [
                f"# What the tests reach of {self.subject}",
                "",
                *(f"- {mode} mode: {self._of_the_proxier(mode)}" for mode in modes),
                *(f"- **A reason is wrong:** {each}" for each in self.stale),
                "",
                "## Packages",
                "",
                *_table(
                    ("package", "statements", *modes),
                    (
                        (f"`{name}`", str(_size(functions)), *self._cells(functions))
                        for name, functions in self.coverage.packages.items()
                    ),
                ),
                "## Functions that are not reached",
                "",
                *_table(
                    ("function", "statements", "why"),
                    (
                        (
                            f"`{one.full_name}`",
                            str(_size([one])),
                            " ".join(reasons(one, self.known)) or "**unknown**",
                        )
                        for one in self._unreached
                        if one.missed == one.blocks
                    ),
                ),
                "## Branches that are not reached",
                "",
                *(
                    line
                    for one in self._unreached
                    if one.missed != one.blocks
                    for line in self._branches(one)
                ),
                "## Functions",
                "",
                *_table(
                    ("function", "statements", *modes),
                    (
                        (f"`{one.full_name}`", str(_size([one])), *self._cells([one]))
                        for one in self.coverage.functions
                    ),
                ),
            ]
        )

    @cached_property
    def _unreached(self) -> list[Function]:
        return self.coverage.unreached(self.absent)

    def _of_the_proxier(self, mode: str) -> str:
        package = f"pkg/proxy/{mode}"
        reached = _percent(share(self.coverage.packages.get(package, ()), mode))
        return f"{reached} of {package}"

    def _cells(self, functions: Iterable[Function]) -> list[str]:
        found = tuple(functions)
        return [_percent(share(found, mode)) for mode in self.coverage.modes]

    def _branches(self, function: Function) -> list[str]:
        """What is not reached of a function: where, and the line that leads there."""
        lines = [
            f"`{function.full_name}`, {_size([function])} statements, {function.file}:",
            "",
            "```go",
        ]
        lines += [self._shown(function.file, block) for block in function.missed]
        return [*lines, "```", ""]

    def _shown(self, file: str, block: Block) -> str:
        source = self.sources / file
        text = source.read_text().splitlines() if source.is_file() else []
        line = text[block.first - 1].strip() if block.first <= len(text) else ""
        if len(text) > block.first and line.endswith("{") and block.last > block.first:
            line = f"{line} {text[block.first].strip()}"
        return f"{block.first:5}  {line}"


def _size(functions: Iterable[Function]) -> int:
    return sum(statements(one.blocks) for one in functions)


def _percent(part: float | None) -> str:
    return "-" if part is None else f"{100 * part:.1f} %"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    names = list(heads)
    return [
        f"| {' | '.join(names)} |",
        f"|{'---|' * len(names)}",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
    ]
