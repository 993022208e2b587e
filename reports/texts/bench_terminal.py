"""What the terminal says at the end of a bench."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from reports.model.bench import PUBLISHED
from reports.model.wording import number
from reports.texts.terminal import Pen

if TYPE_CHECKING:
    from reports.model.bench import Bench
    from reports.records.figures import Figure

_BOLD, _YELLOW = "1", "33"


class Row(NamedTuple):
    """A quantity as a table tells it: the figure's name, its target, and what to call it."""

    name: str
    target: str | None
    title: str


ROWS: Final = (
    Row("first-packet", "first", "first packet, first Service"),
    Row("first-packet", "middle", "first packet, middle Service"),
    Row("first-packet", "last", "first packet, last Service"),
    Row("first-packet", "random", "first packet, random Services"),
    Row("established-packet", None, "packet of an open connection"),
    Row("connection-rate", None, "new connections"),
    Row("sync-endpoint-add", None, "endpoint added"),
    Row("sync-endpoint-remove", None, "endpoint removed"),
    Row("sync-service-add", None, "Service added"),
    Row("sync-service-remove", None, "Service removed"),
    Row("sync-100-services", None, "100 Services at once"),
    Row("sync-rolling-update", None, "endpoint replaced"),
    Row("gone-endpoint-packets", None, "to the replaced endpoint"),
    Row("full-sync", None, "full sync"),
    Row("churn", None, "churn sustained"),
    Row("cpu-seconds", "full-sync", "CPU of a full sync"),
    Row("cpu-seconds", "endpoint-change", "CPU of an endpoint change"),
    Row("cpu-seconds", "service-change", "CPU of a Service change"),
    Row("cpu-seconds", "rolling-update", "CPU of a replaced endpoint"),
    Row("cpu-seconds", "100-services", "CPU of 100 Services"),
    Row("cpu-seconds", "churn", "CPU of a change in churn"),
    Row("peak-memory", "proxy", "peak memory, proxy"),
    Row("peak-memory", "tools", "peak memory, its tools"),
    Row("peak-memory", "proxy-churn", "... of the proxy in churn"),
    Row("peak-memory", "tools-churn", "... of its tools in churn"),
    Row("rules", None, "rules and map elements"),
    Row("ruleset-bytes", None, "bytes of the rule set"),
)
"""In the order in which they are told."""

_FLOORS: Final = {"first-packet": "floor", "connection-rate": "connection-rate"}
"""What a node without a proxy is measured by, beside some figures."""


def summary(bench: Bench, *, colour: bool = False) -> str:
    """A bench as a table of p50 (and p99) by number of Services, and the sentences that follow
    from it. No newline at the end.
    """
    pen = Pen(colour=colour)
    header = bench.header
    machine = header.machine
    lines = [
        pen(header.subject, _BOLD),
        f"kernel {machine.get('kernel')}, {machine.get('cpus')} x {machine.get('cpu')}",
        ", ".join(word for name in ("nft", "iptables") if (word := str(machine.get(name, "")))),
    ]
    if header.emulated:
        lines.append("EMULATED processors: compare these figures with none but each other")
    for series in ("same-period", "defaults"):
        table = _table(bench, series, pen)
        if len(table) > 1:
            period = header.plan.get(f"minSyncPeriod {series}", "?")
            lines += ["", f"p50 (p99), minSyncPeriod {period}", *table]
    if any(figure.disturbed for figure in bench.figures):
        lines += ["", "*  measured while other programs used the machine"]
    told = {
        "Growth": [each.sentence for each in bench.fits if _tells(each.target)],
        "Crossovers": [each.sentence for each in bench.crossovers if _tells(each.target)],
        "Ratios": _ratios(bench),
        "Published": _published(bench),
        "Not measured": [
            f"{gap.mode} at {gap.services:,} Services and more: {gap.reason}" for gap in bench.gaps
        ],
    }
    for title, sentences in told.items():
        if sentences:
            lines += ["", pen(title, _BOLD), *(f"  {each}" for each in sentences)]
    lines += ["", f"{bench.footer.seconds:.0f} s, {bench.footer.figures} figures"]
    return "\n".join(lines)


def _table(bench: Bench, series: str, pen: Pen) -> list[str]:
    cells = [["", "", *(f"{size:,}" for size in bench.sizes)]]
    for row in ROWS:
        title = row.title
        for mode in (*bench.modes, None):
            name = row.name if mode else _FLOORS.get(row.name)
            if name is None or (mode is None and row.target not in (None, "random")):
                continue
            target = row.target if mode else None
            found = [bench.figure(name, mode, size, target, series) for size in bench.sizes]
            if any(found):
                cells.append([title, mode or "no proxy", *map(_cell, found)])
                title = ""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for line in cells:
        left = [cell.ljust(width) for cell, width in zip(line[:2], widths[:2], strict=True)]
        right = [cell.rjust(width) for cell, width in zip(line[2:], widths[2:], strict=True)]
        lines.append("  ".join(left + right).rstrip())
    lines[0] = pen(lines[0], _BOLD)
    return [line.replace("*", pen("*", _YELLOW)) for line in lines]


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return "-"
    unit = "" if figure.unit in ("rules", "bytes", "packets") else f" {figure.unit}"
    unit = unit.replace("s/change", "s")
    told = _brief(figure.p50)
    if figure.p99 is not None:
        told += f" ({_brief(figure.p99)})"
    return f"{told}{unit}{'*' if figure.disturbed else ''}"


def _brief(value: float | None) -> str:
    """Three significant digits."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else number(float(f"{value:.3g}"))


def _tells(target: str | None) -> bool:
    return target in (None, "random")


def _ratios(bench: Bench) -> list[str]:
    """Those at the largest number of Services that both modes reached."""
    titles = {(row.name, row.target): row.title for row in ROWS}
    largest: dict[tuple[str, str | None, str], int] = {}
    for each in bench.ratios:
        key = each.name, each.target, each.series
        largest[key] = max(each.services, largest.get(key, 0))
    told = []
    for each in bench.ratios:
        if each.services < largest[each.name, each.target, each.series] or not _tells(each.target):
            continue
        mark = "*" if each.disturbed else ""
        own = " (defaults)" if each.series == "defaults" else ""
        told.append(
            f"{titles.get((each.name, each.target), each.name)}{own} at {each.services:,}:"
            f" {each.modes[0]} / {each.modes[1]} = {_brief(each.estimate)}"
            f" (95 % CI {_brief(each.low)} to {_brief(each.high)}, {each.pairs} pairs){mark}"
        )
    return told


def _published(bench: Bench) -> list[str]:
    """What others have published about the same numbers of Services, and what was found here."""
    told = []
    for each in PUBLISHED:
        ours = bench.figure(each.name, each.mode, each.services, "random")
        if ours is not None:
            told.append(
                f"first packet at {each.services:,} Services, {each.mode}: {each.p50:g} {each.unit}"
                f" published, {_brief(ours.p50)} {ours.unit} here ({each.source})"
            )
    return told
