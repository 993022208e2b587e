"""Words that the texts share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from foretell.foretold import Change, Foretold, Seen

_BEGINS: Final = {
    "lost": "No longer so",
    "gained": "From now on",
    "configuration": "By the configuration",
    "fault": "Known to be wrong",
    "mended": "Mended",
    "open": "Left open by the API",
}
_VANTAGES: Final = {
    "pod": "pods of the node",
    "remote-pod": "pods of other nodes",
    "outside": "outside",
    "node": "the node",
}


def counted(count: int, one: str) -> str:
    """``1 Service``, ``2 Services``."""
    return f"{count:,} {one}{'' if count == 1 else 's'}"


def headline(found: Foretold) -> str:
    """Who is held against whom."""
    return f"From {found.before} to {found.after}"


def summary(found: Foretold) -> str:
    """How many Services are concerned."""
    services = len(found.cluster.services)
    concerned = len(found.concerned)
    said = [f"{counted(services, 'Service')}: something changes for {concerned:,}"]
    said.append(f"nothing for {services - concerned:,}")
    text = ", ".join(said) + "."
    if found.cluster.left_alone:
        text += f" {found.cluster.left_alone:,} more are no business of a proxy."
    return text


def title(change: Change) -> str:
    """What changes, in a sentence or two."""
    says = f"{_BEGINS[change.direction]}: {change.says}"
    word = "Instead" if change.direction == "lost" else "Until now"
    return f"{says} {word}: {change.counterpart}" if change.counterpart else says


def shown(where: Iterable[Seen]) -> list[str]:
    """Where a change shows: lines such as ``nodePort from outside: dropped, then refused``."""
    found = dict[tuple[str, str, str], list[str]]()
    for each in where:
        vantages = found.setdefault((each.frontend, each.was, each.will), [])
        if _VANTAGES[each.vantage] not in vantages:
            vantages.append(_VANTAGES[each.vantage])
    return [
        f"{frontend} from {_listed(vantages)}" + _becomes(was, will)
        for (frontend, was, will), vantages in found.items()
    ]


def _becomes(was: str, will: str) -> str:
    if was == will:
        return f": {was}" if was else ""
    return f": was {was}, will be {will}"


def _listed(vantages: list[str]) -> str:
    if len(vantages) == len(_VANTAGES):
        return "anywhere"
    *others, last = vantages
    return f"{', '.join(others)} and {last}" if others else last
