"""What is made of the records of a rehearsal: figures, advice, page and terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reports.model.migration import Rehearsed, read
from reports.pages import migration_page
from reports.records.base import Implementation, Interval, Suite
from reports.records.migration import (
    SWITCHES,
    FlowsSeen,
    Opened,
    RehearsalEnd,
    RehearsalHeader,
    Switch,
    Way,
)
from reports.records.writer import ResultWriter
from reports.texts.migration_terminal import summary
from specification.errors import ResultFileError
from tests.samples.schemas import valid


def opened(window: Interval | None, failed: int = 3, frontend: str = "cluster-ip") -> Opened:
    return Opened(
        protocol="TCP",
        family="IPv4",
        vantage="pod",
        frontend=frontend,
        tried=10,
        failed=failed if window else 0,
        window=window,
        became={"refused": failed} if window else {},
    )


def flows(kept: int = 4, **lost: int) -> FlowsSeen:
    counts: dict[str, Any] = {"reset": 0, "moved": 0, "silent": 0, **lost}
    return FlowsSeen(
        protocol="TCP",
        family="IPv4",
        vantage="pod",
        frontend="cluster-ip",
        opened=kept + sum(counts.values()),
        kept=kept,
        stalled=0,
        **counts,
    )


def switch(
    way: Way = "in-place",
    windows: Sequence[Interval | None] = (Interval(0.5, 0.7),),
    before: str = "iptables",
    *,
    seen: FlowsSeen | None = None,
    left: dict[str, int] | None = None,
    wrong: Sequence[str] = (),
    later: Sequence[str] = (),
) -> Switch:
    return Switch(
        way=way,
        before=before,
        after="nftables" if before == "iptables" else "iptables",
        repetition=0,
        steps={"stop": 0.1, "start": 0.4},
        rounds=10,
        flows=(seen or flows(),),
        opened=tuple(map(opened, windows)),
        affinity_lost=2,
        affinity_of=5,
        wrong=tuple(wrong),
        wrong_later=tuple(later),
        left=left or {},
    )


@pytest.fixture
def rehearsed(tmp_path: Path) -> Rehearsed:
    return written(
        tmp_path,
        [
            switch(windows=[Interval(0.1 * turn, 0.1 * turn + 0.05)], left={"ipset A": 1})
            for turn in range(1, 21)
        ]
        + [switch("cleanup", [Interval(5.0, 6.0)])]
        + [switch("failed", [Interval(2.0, 3.0), None])]
        + [switch("drained", [None])]
        + [switch(before="nftables", windows=[None])],
    )


def written(folder: Path, switches: Sequence[Switch], ended: int = 0) -> Rehearsed:
    writer = ResultWriter(folder, SWITCHES)
    writer.write(
        RehearsalHeader(
            rehearsal="20261130T000000Z-migrate-0000",
            started="2026-11-30T00:00:00.000+00:00",
            suite=Suite("kube-proxy-conformance", "1.0"),
            seed=7,
            reproduce="./conform migrate --from iptables --to nftables --seed 7",
            implementation=Implementation("kube-proxy", "v1.37.2"),
            modes=("iptables", "nftables"),
            repetitions=20,
            services=5,
        )
    )
    for each in switches:
        writer.write(each)
    writer.close(RehearsalEnd(exit=ended, switches=len(switches), seconds=100.0))
    return read(folder)


def test_what_is_written_is_valid(rehearsed: Rehearsed, tmp_path: Path) -> None:
    lines = (tmp_path / SWITCHES).read_text().splitlines()
    assert valid(tmp_path / SWITCHES) == len(lines) == 26


def test_quantiles_are_of_the_longest_window_of_each_switch(rehearsed: Rehearsed) -> None:
    course = rehearsed.course("in-place", "iptables")
    assert course is not None
    for share, low in ((0.5, 1.0), (0.95, 1.9), (1.0, 2.0)):
        assert course.window(share) == pytest.approx((low, low + 0.05))
    assert course.window(1.0, "node-port") == (0.0, 0.0)
    failing = rehearsed.course("failed", "iptables")
    assert failing is not None
    assert failing.windows() == [Interval(2.0, 3.0)]
    assert (failing.failed, failing.tried) == (3, 20)


def test_the_advice_names_what_was_measured(rehearsed: Rehearsed) -> None:
    first, best, drained, affinity, back = rehearsed.advice("iptables")
    assert "takes the rules of iptables mode away all the same" in first
    assert "2 to 3 s (max)" in first
    assert best.startswith("Start nftables mode where iptables mode has ended, with no cleanup")
    assert "1.9 to 1.95 s (p95)" in best
    assert "With a cleanup in between: 5 to 6 s (p50)" in best
    assert best.endswith("It leaves ipset A.")
    assert "Take the node out of its load balancers" in drained
    assert "40 of 100" in affinity
    assert back.startswith("Going back in the same way: new connections fail for 0 s (p50)")


def test_a_failed_start_that_does_no_harm_is_said_to_do_none(tmp_path: Path) -> None:
    found = written(tmp_path, [switch("failed", [None])])
    (said,) = found.advice("iptables")
    assert said.startswith("A start in nftables mode that fails does no harm")


@pytest.mark.parametrize(
    ("in_place", "cleanup", "wanted"),
    [
        (switch(), switch("cleanup", [Interval(0.1, 0.6)]), "Start nftables mode"),
        (switch(), switch("cleanup", [Interval(0.1, 0.4)]), "End iptables mode, clean up"),
        (switch(later=["x"]), switch("cleanup", [Interval(5, 6)]), "End iptables mode, clean up"),
        (switch(seen=flows(reset=1)), switch("cleanup"), "End iptables mode, clean up"),
        (switch(), switch("cleanup", wrong=["x"]), "Start nftables mode"),
    ],
    ids=["cannot be told apart", "shorter", "wrong afterwards", "flows lost", "wrong, too"],
)
def test_what_is_advised_is_what_does_least_harm(
    in_place: Switch, cleanup: Switch, wanted: str, tmp_path: Path
) -> None:
    (said, *_) = written(tmp_path, [in_place, cleanup]).advice("iptables")
    assert said.startswith(wanted)


def test_a_drain_is_advised_where_flows_are_lost(tmp_path: Path) -> None:
    lossy = switch(seen=flows(kept=1, reset=3))
    found = written(tmp_path, [lossy, switch("drained", [None], seen=flows(kept=1, reset=1))])
    (best, drained, *_) = found.advice("iptables")
    assert "flows: 1 of 4 kept, 3 reset" in best
    assert drained.startswith("Drain the node first, so that no pod there has flows to lose")
    assert drained.endswith("by the node, 1 of 2 kept, 1 reset.")


def test_a_cleanup_that_fails_is_told(tmp_path: Path) -> None:
    complaint = 'exit code 1: E1130 16:38:15.175797    1324 run.go:72] "command failed"'
    failing = msgspec.structs.replace(switch("cleanup"), complaint=complaint)
    (said, *_) = written(tmp_path, [switch(), failing]).advice("iptables")
    assert '--cleanup ends with exit code 1: "command failed": let no script stop there' in said


def test_what_is_wrong_afterwards_is_exit_code_1_and_shown(tmp_path: Path) -> None:
    found = written(
        tmp_path, [switch(), switch(later=["cluster-ip 10.0.0.1:80 from pod: dropped"])]
    )
    assert found.exit_code == 1
    told = summary(found)
    assert "wrong after 1 of 2 switches:" in told
    assert "cluster-ip 10.0.0.1:80 from pod: dropped" in told
    assert "Wrong after 1 of 2: in-place, iptables to nftables" in migration_page.render(found)


def test_nothing_wrong_is_exit_code_0(rehearsed: Rehearsed) -> None:
    assert rehearsed.exit_code == 0


def test_the_page_tells_all_of_it_and_loads_nothing(rehearsed: Rehearsed) -> None:
    page = migration_page.render(rehearsed)
    assert not re.search(r"<(?:script|link|img|iframe)\b|url\(|@import", page)
    assert page.count('class="window"') == 24
    for words in ("1.9 to 1.95 s", "ipset A", "40 of 100", "3 of 20", "refused 3", "seed 7"):
        assert words in page


def test_the_terminal_is_as_wide_as_it_may_be(rehearsed: Rehearsed) -> None:
    told = summary(rehearsed)
    assert max(map(len, told.splitlines())) <= 100
    assert "in-place, iptables to nftables" in told
    assert "\x1b" not in told
    assert "\x1b[1m" in summary(rehearsed, colour=True)


def test_names_of_both_families_are_said_once(tmp_path: Path) -> None:
    left = {"iptables chain nat/A": 1, "ip6tables chain nat/A": 1, "iptables rule nat/X to A": 1}
    (course,) = written(tmp_path, [switch(left=left)]).courses
    assert course.left_names == ["chain nat/A"]


def test_a_file_without_a_switch_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ResultFileError, match="has no switch"):
        written(tmp_path, [])


def test_an_interrupted_rehearsal_says_so(tmp_path: Path) -> None:
    assert "interrupted" in migration_page.render(written(tmp_path, [switch()], ended=2))
