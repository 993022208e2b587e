"""The kill matrix: which requirement noticed which mutant; as text, JSON and HTML."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import Environment, StrictUndefined

from tests.mutants.mutant import ALTERED, REFUSED

if TYPE_CHECKING:
    from reports.model.run import Run
    from tests.mutants.mutant import Mutant

_PAGE = Path(__file__).with_name("matrix.html.j2")

KILLED, SURVIVED, ERROR = "killed", "SURVIVED", "ERROR"
PASSED, FAILED = "passed", "FAILED"
"""What is said of the proxy that is not mutated."""


class Kill(NamedTuple):
    """What one requirement made of one mutant."""

    mode: str
    mutant: str
    breaks: str
    requirement: str
    verdict: str
    """KILLED, SURVIVED or ERROR; PASSED, FAILED or ERROR of the proxy that is not mutated."""
    failed: int
    """Cases that failed, of ``cases``."""
    cases: int
    reason: str
    """The first failure, or why the verdict is an error."""
    seconds: float
    alterations: int
    """How many times something was altered that the proxy has programmed."""

    @property
    def right(self) -> bool:
        """Whether it is as it should be."""
        return self.verdict in (KILLED, PASSED)

    @classmethod
    def of(
        cls, mode: str, mutant: Mutant, requirement: str, name: str, run: Run, record: list[str]
    ) -> Kill:
        """Read it off a run with the mutant as the mode, or case, ``name``, and off its record."""
        control = not mutant.killed_by
        results = [
            each
            for each in run.results
            if name in f"{each.mode} {each.case}" and each.requirement == requirement
        ]
        failed = [each for each in results if each.outcome == "failed"]
        others = [each for each in results if each.outcome not in ("failed", "passed")]
        refused = [line for line in record if line.startswith(REFUSED)]
        alterations = record.count(ALTERED)
        if not results:
            verdict, reason = ERROR, "the requirement was not tested"
        elif refused:
            verdict, reason = ERROR, refused[0]
        elif others:
            verdict, reason = ERROR, f"{others[0].outcome}: {others[0].reason}"
        elif not record or bool(alterations) == control:
            verdict, reason = ERROR, "nothing was altered" if record else "nothing was recorded"
        elif control:
            verdict, reason = (FAILED, failed[0].reason) if failed else (PASSED, "")
        else:
            verdict, reason = (KILLED, failed[0].reason) if failed else (SURVIVED, "")
        return cls(
            mode,
            mutant.name,
            mutant.breaks,
            requirement,
            verdict,
            len(failed),
            len(results),
            reason.strip(),
            sum(each.seconds + each.setup_seconds for each in results),
            alterations,
        )


def as_text(kills: Sequence[Kill]) -> list[str]:
    """A line for each mutant, and one for the proxy that is not mutated."""
    width = max(len(_label(kill)) for kill in kills)
    lines = []
    for kill in _mutants(kills):
        alterations = f"{kill.alterations} alterations"
        lines.append(
            f"{_label(kill):<{width}}  {kill.verdict:<8}  by {kill.requirement}"
            f" ({kill.failed} of {kill.cases} cases, {kill.seconds:.1f} s, {alterations})"
        )
        if not kill.right:
            lines.append(f"    {kill.reason}")
    for mode, members in _by_mode(_controls(kills)):
        wrong = [kill for kill in members if not kill.right]
        lines.append(
            f"{mode} unmutated passes {len(members) - len(wrong)}"
            f" of these {len(members)} requirements"
        )
        lines += [f"    {kill.requirement}: {kill.verdict}: {kill.reason}" for kill in wrong]
    return lines


def write(kills: Sequence[Kill], folder: Path) -> None:
    """Write ``kill-matrix.json`` and ``kill-matrix.html``."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps([kill._asdict() for kill in kills], indent=2)
    (folder / "kill-matrix.json").write_text(text + "\n")
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    page = environment.from_string(_PAGE.read_text())
    (folder / "kill-matrix.html").write_text(
        page.render(
            modes=_by_mode(_mutants(kills)),
            controls=dict(_by_mode(_controls(kills))),
            killed=sum(kill.verdict == KILLED for kill in kills),
            mutants=len(_mutants(kills)),
            killers=by_requirement(kills),
        )
    )


def by_requirement(kills: Iterable[Kill]) -> dict[str, list[tuple[str, bool]]]:
    """The mutants that each requirement has killed, and whether it alone has."""
    killed = [kill for kill in _mutants(kills) if kill.verdict == KILLED]
    killers = Counter(map(_label, killed))
    found: dict[str, list[tuple[str, bool]]] = {}
    for kill in killed:
        alone = killers[_label(kill)] == 1
        found.setdefault(kill.requirement, []).append((_label(kill), alone))
    return dict(sorted(found.items()))


def _label(kill: Kill) -> str:
    return f"{kill.mode} {kill.mutant}"


def _mutants(kills: Iterable[Kill]) -> list[Kill]:
    return [kill for kill in kills if kill.mutant != "unmutated"]


def _controls(kills: Iterable[Kill]) -> list[Kill]:
    return [kill for kill in kills if kill.mutant == "unmutated"]


def _by_mode(kills: Iterable[Kill]) -> list[tuple[str, list[Kill]]]:
    modes: dict[str, list[Kill]] = {}
    for kill in kills:
        modes.setdefault(kill.mode, []).append(kill)
    return list(modes.items())


def from_records(records: Iterable[Sequence[Any]]) -> list[Kill]:
    """The matrix from what test reports carried, in order of modes."""
    kills = [Kill(*record) for record in records]
    return [kill for _, members in sorted(_by_mode(kills)) for kill in members]
