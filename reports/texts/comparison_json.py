"""The comparison as JSON, for other programs; comparison.schema.json says what it holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec

from reports.drawing.comparison_charts import charts
from reports.model.comparison import KINDS
from reports.model.freedom import pairs
from reports.model.parity import parities
from reports.model.wording import VERDICTS, WORDS
from reports.records.base import Count, Part, Suite, Text, one_of, values
from reports.records.results import LEVELS
from reports.verdicts.claims import Claim, claims
from reports.verdicts.pace import Pace, paces
from reports.verdicts.recommend import Recommendation, recommendations

if TYPE_CHECKING:
    from reports.model import comparison as model
    from reports.model import parity

VERSION: Final = 1

Word = Annotated[str, one_of(WORDS)]
Level = Annotated[str, one_of(LEVELS)]
Some = Annotated[int, msgspec.Meta(ge=1)]


class Column(Part, frozen=True, kw_only=True):
    """A mode of a run."""

    label: Text
    mode: str
    run: str
    """Name of the run that it is of."""
    started: str
    suite: Suite
    implementation: dict[str, str]
    nodes: str
    """What its nodes are: namespace nodes, virtual machines, kind nodes; empty where the run does
    not say.
    """
    kernel: str
    """Of its nodes."""
    emulated: bool
    """Whether its nodes' processors were: its times compare with none else's."""
    held_against: str | None
    """Label of the column that makes its differences new; null where there is none."""
    verdict: Annotated[str, one_of(VERDICTS)]
    sentence: str
    known_faults: dict[Level, Some]
    """Level -> how many requirements of it fail as the implementation lists."""
    counts: dict[Word, Some]
    reproduce: str


class Differing(Part, frozen=True, kw_only=True):
    """A requirement whose verdicts differ on nodes of two kinds."""

    requirement: str
    words: tuple[Word, Word]
    cases: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    """Those whose results differ."""
    because: tuple[str, ...]
    """Why they may; empty: nothing explains it."""
    said: tuple[tuple[str, ...], tuple[str, ...]]
    """What the results say beyond that."""


class Parity(Part, frozen=True, kw_only=True):
    """A mode of one proxy on nodes of two kinds."""

    mode: str
    nodes: tuple[Text, Text]
    """What the nodes of the one and of the other are; whatever else there is two of has the same
    order.
    """
    columns: tuple[str, str]
    same: dict[Word, Some]
    """Word -> number of requirements that have it on both, in every case."""
    alone: Count
    """Number of requirements that only one of them has judged."""
    differing: tuple[Differing, ...]


class Difference(Part, frozen=True, kw_only=True):
    """A requirement of which the columns do not all say that it holds."""

    kind: Annotated[str, one_of(KINDS)]
    """documented: an expected failure of the implementation's own list, or a feature that it does
    not claim.
    """
    requirement: str
    columns: tuple[str, ...]
    reasons: tuple[str, ...]


class Freedom(Part, frozen=True, kw_only=True):
    """Decisions of one kind that two columns take in two ways, each rightly."""

    about: str
    """What decided or, where nothing does, why not."""
    was: str
    """What was seen in the first column."""
    now: str
    decisions: Some
    example: str


class Decisions(Part, frozen=True, kw_only=True):
    """The censuses of two columns, decision by decision."""

    columns: tuple[str, str]
    same: Count
    wrong: Count
    """Wrong in either: a requirement tells of them."""
    alone: Count
    """Taken in one of them alone."""
    different: tuple[Freedom, ...]


class Table(Part, frozen=True, kw_only=True):
    """The numbers behind a chart, as they are shown."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Requirement(Part, frozen=True, kw_only=True):
    """What became of a requirement."""

    id: str
    area: str
    level: Level
    feature: str | None
    reference: str
    statement: str
    words: dict[str, Word]
    """Label of each column -> its word, that of its worst case."""


class Document(Part, frozen=True, kw_only=True):
    """What ./conform compare --json writes. Columns are modes of runs, named by their labels
    everywhere else in the document.
    """

    schema: Literal[1]
    columns: Annotated[tuple[Column, ...], msgspec.Meta(min_length=1)]
    parity: tuple[Parity, ...]
    """Where columns are of the same proxy in the same mode on nodes of two kinds: whether their
    verdicts are the same.
    """
    differences: tuple[Difference, ...]
    decisions: tuple[Decisions, ...]
    recommendations: tuple[Recommendation, ...]
    paces: tuple[Pace, ...]
    claims: tuple[Claim, ...]
    measured: tuple[Table, ...]
    requirements: tuple[Requirement, ...]


def document(comparison: model.Comparison) -> Document:
    """What the page shows, as plain values; columns are referred to by their labels."""
    return Document(
        schema=VERSION,
        columns=tuple(_column(comparison, each) for each in comparison.columns),
        parity=tuple(
            _parity(whole, pair) for whole in parities(comparison) for pair in whole.pairs
        ),
        differences=tuple(
            Difference(
                kind=each.kind,
                requirement=each.requirement.id,
                columns=tuple(column.label for column in each.columns),
                reasons=each.reasons,
            )
            for each in comparison.differences
        ),
        decisions=tuple(
            Decisions(
                columns=(pair.before.label, pair.column.label),
                same=pair.same,
                wrong=pair.wrong,
                alone=pair.alone,
                different=msgspec.convert(pair.freedoms, tuple[Freedom, ...], from_attributes=True),
            )
            for pair in pairs(comparison)
        ),
        recommendations=recommendations(comparison),
        paces=paces(comparison),
        claims=claims(comparison),
        measured=msgspec.convert(charts(comparison), tuple[Table, ...], from_attributes=True),
        requirements=tuple(
            Requirement(
                id=each.id,
                area=each.area,
                level=each.level,
                feature=each.feature,
                reference=each.reference,
                statement=each.statement,
                words={column.label: cell.word for column, cell in comparison.row(each.id)},
            )
            for each in comparison.requirements
        ),
    )


def _column(comparison: model.Comparison, column: model.Column) -> Column:
    header, before = column.run.header, comparison.before(column)
    implementation = values(header.implementation)
    del implementation["contact"]
    return Column(
        label=column.label,
        mode=column.mode,
        run=header.run,
        started=header.started,
        suite=header.suite,
        implementation=implementation,
        nodes=column.nodes,
        kernel=column.kernel,
        emulated=column.emulated,
        held_against=before.label if before else None,
        verdict=column.verdict,
        sentence=column.sentence,
        known_faults=dict(column.run.known_faults(column.mode)),
        counts=dict(column.run.totals[column.mode]),
        reproduce=header.reproduce,
    )


def _parity(whole: parity.Parity, pair: parity.Pair) -> Parity:
    return Parity(
        mode=pair.mode,
        nodes=whole.nodes,
        columns=(pair.first.label, pair.second.label),
        same=dict(pair.same),
        alone=pair.alone,
        differing=tuple(
            Differing(
                requirement=each.requirement.id,
                words=(each.cells[0].word, each.cells[1].word),
                cases=tuple(first.case for first, _ in each.results),
                because=each.because,
                said=each.said,
            )
            for each in pair.unlike
        ),
    )


def render(comparison: model.Comparison) -> str:
    """The document as indented text."""
    return json.dumps(values(document(comparison)), indent=2, ensure_ascii=False) + "\n"
