"""What a mutant is, and how its functions edit the text that kube-proxy programs.

Imported by every call of a wrapper, so it must load fast: nothing but ``typing`` is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

CANARY = "/canary-"
"""In every line about the Service that tells when a change is in force: mutations spare it."""

ALTERED, UNALTERED, REFUSED = "altered", "unaltered", "refused"
"""Words of a mutant's record: something was changed or not, or the node refused it (and why)."""


class Mutant(NamedTuple):
    """One way to be broken."""

    name: str
    """Words with hyphens; with the mode before them what tells its tests from other mutants'."""
    breaks: str
    """What is wrong with it, in a sentence."""
    killed_by: tuple[str, ...]
    """Requirements that must fail, each of them."""
    mutate: Callable[[Any, Any], Any]
    """From what kube-proxy programs now, and what it has programmed before, to what is altered:
    texts here, see ``tests.mutants.faults.ipvs``, ``objects`` and ``program`` for what it is there.
    """
    cases: str = ""
    """Which of the requirements' cases are tried, as pytest's -k takes it; all by default."""
    of: Literal["rules", "objects", "program"] = "rules"
    """What it alters: what kube-proxy programs, what it is told by the API server, or itself."""


def unmutated(text: str, before: str) -> str:
    """Nothing is altered: what the wrappers themselves do to a proxy."""
    return text


def edited(text: str, edit: Callable[[str], str | None]) -> str:
    """The text with each line edited that is not about the canary; ``None`` drops the line."""
    lines = (line if CANARY in line else edit(line) for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line is not None)
