"""What a mutant is, and how its functions edit what kube-proxy programs.

Imported by every call of a wrapper, so it must load fast: nothing but ``typing`` is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

CANARY = "/canary-"
"""In every line about the Service that tells when a change is in force: mutations spare it."""

Mutation = Callable[[str, str], str]
"""From a transaction's text, and that of all earlier ones of its family, to the text to program."""


class Mutant(NamedTuple):
    """One way to be broken."""

    name: str
    """Words with hyphens; the name of a mode in the run that judges it."""
    breaks: str
    """What is wrong with it, in a sentence."""
    killed_by: tuple[str, ...]
    """Requirements that must fail, each of them."""
    mutate: Mutation


def unmutated(text: str, before: str) -> str:
    """Nothing is altered: what the wrappers themselves do to a proxy."""
    return text


def edited(text: str, edit: Callable[[str], str | None]) -> str:
    """The text with each line edited that is not about the canary; ``None`` drops the line."""
    lines = (line if CANARY in line else edit(line) for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line is not None)
