"""What the nodes of a run are, in the field's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from reports.model.run import Run
    from reports.records.results import Fingerprint

NAMES: Final = {
    "netns": "namespace nodes",
    "vm": "virtual machines",
    "kind": "kind nodes",
    "simulated": "nodes in memory",
}
"""Kind of a node, as its fingerprint has it -> how several of them are called."""

_ACCELERATORS = {"tcg": "emulated by QEMU's TCG", "kvm": "KVM"}


@dataclass(frozen=True)
class Nodes:
    """What the nodes of some modes of a run are."""

    name: str
    about: str
    """What more there is to say, such as their version of Kubernetes; may be empty."""
    modes: tuple[str, ...]


def of(run: Run, mode: str) -> str:
    """What the nodes of a mode are called; empty where the run does not say what they are."""
    kinds = run.seen(mode, lambda f: f.system.get("kind"))
    if not kinds and run.header.provider in NAMES:  # no node was ever up
        kinds = [run.header.provider]
    return " and ".join(NAMES.get(kind, kind) for kind in kinds)


def groups(run: Run) -> list[Nodes]:
    """The modes of a run by what their nodes are; those whose nodes are unknown are left out."""
    found: dict[tuple[str, str], list[str]] = {}
    for mode in run.modes:
        if name := of(run, mode):
            found.setdefault((name, _about(run, mode)), []).append(mode)
    return [Nodes(name, about, tuple(modes)) for (name, about), modes in found.items()]


def told(run: Run) -> str:
    """What the nodes of a run are, as text; with the modes where these differ in it."""
    known = groups(run)
    parts = []
    for each in known:
        modes = [", ".join(each.modes)] if each.modes != run.modes else []
        details = "; ".join([*modes, *filter(None, [each.about])])
        parts.append(f"{each.name} ({details})" if details else each.name)
    return " and ".join(parts)


def accelerator(fingerprint: Fingerprint) -> str:
    """What runs the node where that is a machine, or tries to; else empty."""
    return _ACCELERATORS.get(fingerprint.system.get("accelerator", ""), "")


def _about(run: Run, mode: str) -> str:
    words = [
        *(
            f"Kubernetes {version}"
            for version in run.seen(mode, lambda f: f.system.get("kubernetes"))
        ),
        *(f"image {image}" for image in run.seen(mode, lambda f: f.system.get("image"))),
        *run.seen(mode, accelerator),
    ]
    return ", ".join(words)
