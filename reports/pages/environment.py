"""What every page is made with: templates, and what they may call."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup, escape

from reports.drawing import charts
from reports.model import wording
from reports.model.wording import LABELS

if TYPE_CHECKING:
    from pathlib import Path

    from reports.records.results import Result

_EVIDENCE: Final = {
    "failure.txt": "the failure",
    "pod.pcap": "pod wire",
    "external.pcap": "external wire",
    "rules-before.txt": "rules before",
    "rules-after.txt": "rules after",
    "conntrack.txt": "connections tracked",
    "objects.json": "API objects",
    "proxy.log": "log of the proxy",
    "reproduce.txt": "how to repeat it",
}


def environment() -> Environment:
    """What templates of pages are rendered with: each other, the style sheets and the scripts."""
    package = files("reports.pages").joinpath("templates")
    sources = {
        entry.name: entry.read_text("utf-8")
        for entry in package.iterdir()
        if entry.name.endswith((".html.j2", ".css", ".js"))
    }
    made = Environment(
        loader=DictLoader(sources),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "anchor": anchor,
        "commit": wording.commit,
        "duration": wording.duration,
        "interval": wording.interval,
        "label": LABELS.__getitem__,
        "number": wording.number,
        "probability": wording.probability,
        "prose": prose,
        "told": wording.told,
    }
    made.globals |= {
        "bars": charts.bars,
        "several": wording.several,
        "verdicts": wording.VERDICTS,
        "anchor": anchor,
    }
    return made


def anchor(*parts: str) -> str:
    """A name for a place in the page, made of letters that need no escaping."""
    return "-".join(re.sub(r"[^A-Za-z0-9_]+", "-", part) for part in parts)


def prose(value: str) -> Markup:
    """Text with its web addresses made into links, everything else escaped."""
    out, last = [], 0
    for match in wording.URL.finditer(value):
        url = match.group()
        out += [escape(value[last : match.start()]), Markup('<a href="{0}">{0}</a>').format(url)]
        last = match.end()
    return Markup("").join([*out, escape(value[last:])])


def evidence(result: Result, folder: Path | None, way: str = ".") -> list[tuple[str, str, str]]:
    """Name, address and size of each file of a result's evidence, the folder itself first.

    `way` leads from the page to the run's `folder`.
    """
    if result.evidence is None:
        return []
    # "./" keeps a path a path: it cannot be taken for an address with a scheme.
    base = f"{quote(way)}/{quote(result.evidence.strip('/'))}"
    links = [(f"{result.evidence}/", f"{base}/", "")]
    place = folder / result.evidence if folder else None
    if place is None or not place.is_dir():
        return links
    order = list(_EVIDENCE)
    found = [path for path in place.iterdir() if path.is_file()]
    found.sort(key=lambda p: (order.index(p.name) if p.name in order else len(order), p.name))
    for path in found:
        about = f"{_EVIDENCE[path.name]}, " if path.name in _EVIDENCE else ""
        links.append((path.name, f"{base}/{quote(path.name)}", f"{about}{_size(path)}"))
    return links


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size:,} B" if size < 10_000 else f"{size / 1000:,.0f} kB"
