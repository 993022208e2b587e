"""For machines: JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import msgspec

from conformance.census.manifest import manifest
from foretell.shapes import NODE

if TYPE_CHECKING:
    from foretell.foretold import Change, Foretold
    from foretell.side import Side


def told(found: Foretold) -> str:
    """All of it: the changes, each with its Services, and of each Service the numbers of its
    changes.
    """
    by_service = dict[str, list[int]]()
    for number, change in enumerate(found.changes):
        for name in change.services if change in found.certain else ():
            by_service.setdefault(str(name), []).append(number)
    unchanged = len(found.cluster.services) - len(by_service)
    return json.dumps(
        {
            "schema": 1,
            "from": _side(found.before),
            "to": _side(found.after),
            "assumed": list(found.cluster.assumed),
            "changes": [_change(each) for each in found.changes],
            "services": by_service,
            "unchanged": unchanged,
        },
        indent=1,
    )


def _side(side: Side) -> dict[str, str]:
    name = side.implementation.name
    return {"implementation": name, "version": side.version, "mode": side.mode}


def _change(change: Change) -> dict[str, Any]:
    return {
        "direction": change.direction,
        "name": change.name,
        "says": change.says,
        "counterpart": change.counterpart,
        "why": change.why,
        "how_often": change.how_often,
        "advice": change.advice,
        "sources": msgspec.to_builtins(change.sources),
        "requirements": list(change.requirements),
        "everywhere": change.everywhere,
        "services": {
            str(name): [asdict(each) for each in seen] for name, seen in change.services.items()
        },
        "example": manifest(change.example, NODE).rstrip() if change.example else "",
    }
