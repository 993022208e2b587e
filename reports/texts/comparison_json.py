"""The comparison as JSON, for other programs; comparison.schema.json says what it holds."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from reports.drawing.comparison_charts import charts
from reports.model.parity import parities
from reports.records.base import values
from reports.verdicts.claims import claims
from reports.verdicts.pace import paces
from reports.verdicts.recommend import recommendations

if TYPE_CHECKING:
    from reports.model.comparison import Comparison

VERSION: Final = 1


def schema() -> dict[str, Any]:
    """The published schema of this document."""
    text = files("reports.texts").joinpath("comparison.schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def document(comparison: Comparison) -> dict[str, Any]:
    """What the page shows, as plain values; columns are referred to by their labels."""
    return {
        "schema": VERSION,
        "columns": [
            {
                "label": c.label,
                "mode": c.mode,
                "run": c.run.header.run,
                "started": c.run.header.started,
                "suite": values(c.run.header.suite),
                "implementation": {
                    name: value
                    for name, value in values(c.run.header.implementation).items()
                    if name != "contact"
                },
                "nodes": c.nodes,
                "kernel": c.kernel,
                "emulated": c.emulated,
                "held_against": before.label if (before := comparison.before(c)) else None,
                "verdict": c.verdict,
                "sentence": c.sentence,
                "known_faults": dict(c.run.known_faults(c.mode)),
                "counts": {word: n for word, n in c.run.totals[c.mode].items() if n},
                "reproduce": c.run.header.reproduce,
            }
            for c in comparison.columns
        ],
        "parity": [
            {
                "mode": pair.mode,
                "nodes": list(parity.nodes),
                "columns": [pair.first.label, pair.second.label],
                "same": {word: n for word, n in pair.same.items() if n},
                "alone": pair.alone,
                "differing": [
                    {
                        "requirement": each.requirement.id,
                        "words": [cell.word for cell in each.cells],
                        "cases": [first.case for first, _ in each.results],
                        "because": list(each.because),
                        "said": [list(reasons) for reasons in each.said],
                    }
                    for each in pair.unlike
                ],
            }
            for parity in parities(comparison)
            for pair in parity.pairs
        ],
        "differences": [
            {
                "kind": d.kind,
                "requirement": d.requirement.id,
                "columns": [c.label for c in d.columns],
                "reasons": list(d.reasons),
            }
            for d in comparison.differences
        ],
        "recommendations": [
            {
                "scenario": r.scenario,
                "subject": r.subject,
                "pick": r.pick,
                "why": list(r.why),
                "said": r.said,
            }
            for r in recommendations(comparison)
        ],
        "paces": [
            {
                "figure": p.name,
                "subject": p.subject,
                "before": p.before,
                "slower": p.slower,
                "times": p.times,
                "at_least": p.at_least,
            }
            for p in paces(comparison)
        ],
        "claims": [
            {
                "id": c.id,
                "statement": c.statement,
                "word": c.word,
                "findings": [{"word": word, "text": text} for word, text in c.findings],
                "known": c.known,
            }
            for c in claims(comparison)
        ],
        "measured": [
            {
                "title": chart.title,
                "heads": list(chart.heads),
                "rows": [list(r) for r in chart.rows],
            }
            for chart in charts(comparison)
        ],
        "requirements": [
            {
                "id": each.id,
                "area": each.area,
                "level": each.level,
                "feature": each.feature,
                "reference": each.reference,
                "statement": each.statement,
                "words": {c.label: cell.word for c, cell in comparison.row(each.id)},
            }
            for each in comparison.requirements
        ],
    }


def render(comparison: Comparison) -> str:
    """The document as indented text."""
    return json.dumps(document(comparison), indent=2, ensure_ascii=False) + "\n"
