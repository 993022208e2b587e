"""What the suite reaches of a program: a page of Markdown, and the little that a terminal shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from reports.model.coverage import share, statements

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from reports.model.coverage import Block, Coverage, Function

_MOST: Final = 15  # functions that the terminal shows; the page has all


@dataclass(frozen=True)
class Report:
    """What of ``subject`` was reached, in a run from which the ``absent`` modes were."""

    subject: str
    coverage: Coverage
    absent: tuple[str, ...]

    def terminal(self, page: Path) -> str:
        """Packages by modes, and the functions of which most is not reached; in ASCII."""
        modes, packages = self.coverage.modes, self.coverage.packages
        width = max(map(len, packages))
        lines = [" " * width + "".join(f"  {mode:>8}" for mode in modes)]
        for name, functions in packages.items():
            cells = "".join(f"  {cell:>8}" for cell in self._cells(functions))
            lines.append(f"{name:{width}}{cells}")
        lines += ["", "Statements that no test reaches, and nobody knows why"]
        unknown = [(one, blocks) for one in self._unreached if (blocks := self._unknown(one))]
        unknown.sort(key=lambda each: -statements(each[1]))
        for one, blocks in unknown[:_MOST]:
            lines.append(f"  {statements(blocks):4} of {_size([one]):4}  {one.full_name}")
        if len(unknown) > _MOST:
            lines.append(f"  and some of {len(unknown) - _MOST} more functions, in the report")
        lines += ["", *(f"{mode} mode: {self._of_the_proxier(mode)}" for mode in modes)]
        lines += [f"error: a reason is wrong: {each}" for each in self.coverage.stale]
        return "\n".join([*lines, f"Report: {page}"])

    def markdown(self) -> str:
        """Everything: packages, what is not reached and why, and all functions."""
        modes = self.coverage.modes
        whole = [one for one in self._unreached if one.missed == one.blocks]
        parts = [one for one in self._unreached if one.missed != one.blocks]
        return "\n".join(
            [
                f"# What the tests reach of {self.subject}",
                "",
                *(f"- {mode} mode: {self._of_the_proxier(mode)}" for mode in modes),
                *(f"- **A reason is wrong:** {each}" for each in self.coverage.stale),
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
                        (f"`{one.full_name}`", str(_size([one])), self._why(one) or "**unknown**")
                        for one in whole
                    ),
                ),
                "## Branches that are not reached",
                "",
                *(line for one in parts for line in self._branches(one)),
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
        """The share of the mode's own package, of all and of what can be reached, and how much of
        the rest has its reason.
        """
        package = f"pkg/proxy/{mode}"
        functions = self.coverage.packages.get(package, ())
        told = f"{_percent(share(functions, mode))} of {package}"
        missed = [(one, b) for one in functions for b in one.blocks if mode not in b.modes]
        whole = statements(block for _, block in missed)
        known = statements(block for one, block in missed if self.coverage.why(one, block))
        reachable = statements(block for one in functions for block in one.blocks) - known
        if known:
            told += f" ({_percent((reachable - whole + known) / reachable)} of what can be reached)"
        return f"{told}; of {whole} statements that are missed, {known} for known reasons"

    def _cells(self, functions: Sequence[Function]) -> list[str]:
        return [_percent(share(functions, mode)) for mode in self.coverage.modes]

    def _unknown(self, function: Function) -> Sequence[Block]:
        return [block for block in function.missed if not self.coverage.why(function, block)]

    def _why(self, function: Function) -> str:
        """Why nothing is reached of a function, as far as it is known."""
        reasons = (self.coverage.why(function, block) for block in function.missed)
        return " ".join(dict.fromkeys(filter(None, reasons)))

    def _branches(self, function: Function) -> list[str]:
        """What is not reached of a function: where, the line that leads there, and why."""
        lines = [f"`{function.full_name}`, {_size([function])} statements, {function.file}:", ""]
        for block in function.missed:
            why = self.coverage.why(function, block)
            lines += [
                f"    {block.line:5}  {block.text}",
                *([f"           ({why})"] if why else []),
            ]
        return [*lines, ""]


def _size(functions: Iterable[Function]) -> int:
    return sum(statements(one.blocks) for one in functions)


def _percent(part: float | None) -> str:
    return "-" if part is None else f"{100 * part:.1f} %"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(heads)} |",
        f"|{'---|' * len(heads)}",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
    ]
