"""A rehearsal as one HTML page: it works offline, without scripts, on paper too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reports.drawing.windows import windows
from reports.model.wording import commit, duration, several
from reports.pages.environment import environment

if TYPE_CHECKING:
    from reports.model.migration import Rehearsed

_WAYS: Final = {
    "in-place": "The proxy ends and starts in the other mode, as where the pods of its DaemonSet"
    " are replaced (kubeadm).",
    "cleanup": "The proxy ends, kube-proxy --cleanup runs, the proxy starts in the other mode.",
    "drained": "As in-place, on a node that has no pods: nobody is served there, and no pod of it"
    " is a client.",
    "failed": "The proxy ends, the other mode cannot start there, the old one starts again.",
}


def render(*found: Rehearsed) -> str:
    """The page of one rehearsal, or of several."""
    return (
        environment()
        .get_template("migration.html.j2")
        .render(
            found=found,
            ways={
                way: text
                for way, text in _WAYS.items()
                if any(course.way == way for each in found for course in each.courses)
            },
            title=" · ".join(dict.fromkeys(each.header.subject for each in found)),
            chart={each.header.rehearsal: _chart(each) for each in found},
            about=_about,
        )
    )


def _chart(found: Rehearsed) -> object:
    return windows([(f"{each.way}, {each.name}", each.windows()) for each in found.courses])


def _about(found: Rehearsed) -> str:
    """What was done, in a line."""
    header = found.header
    switches = sum(len(each.switches) for each in found.courses)
    where = str(header.machine.get("node", "")), str(header.machine.get("kernel", ""))
    services = several(header.services, "Service")
    parts = (
        header.started[:10],
        " ".join(filter(None, where)) + (", emulated" if header.emulated else ""),
        several(switches, "switch", "switches"),
        services + (f" like those of {header.asked}" if header.asked else " of all kinds"),
        duration(found.footer.seconds),
        f"suite {header.suite.version} {commit(header.suite.commit)}".strip(),
        f"seed {header.seed}",
        *(["interrupted"] if found.footer.exit else []),
    )
    return " · ".join(filter(None, parts))
