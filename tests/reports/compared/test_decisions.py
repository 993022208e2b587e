"""Censuses in reports: what each clause decided, and what came out otherwise though it is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reports.model import merge
from reports.model.comparison import compare
from reports.model.freedom import Pair, clauses, pairs
from reports.model.run import read
from reports.pages import comparison_page, run_page
from reports.schemas import schema
from reports.texts import comparison_json, comparison_terminal, markdown, terminal
from specification.errors import ResultFileError
from tests.reports.test_html import Page
from tests.samples import run as sample
from tests.samples.census import SERVED, UNSERVED, census
from tests.samples.schemas import valid

TOLD = (
    "unserved port of a cluster IP: passed on in iptables, refused by ICMP in nftables: 2 decisions"
)


def run(folder: Path, *censuses: dict[str, Any], **changes: Any) -> Path:
    """A run that has these censuses, and a requirement that looks at one."""
    tally: dict[str, Any] = {"decisions": {"decisions": 1_234, "wrong": 5}}
    return sample.write(
        folder,
        sample.header(run=folder.name, **changes),
        sample.requirement(),
        *(sample.result(mode=mode, **tally) for mode in changes.get("modes", sample.MODES)),
        *censuses,
    )


def both(folder: Path, first: dict[str, Any], second: dict[str, Any]) -> Pair:
    """The modes of a run, each with its census, held against each other."""
    (pair,) = pairs(compare([run(folder / "run", first, second)]))
    return pair


def refused(**changes: Any) -> dict[str, Any]:
    return census("nftables", "refused by ICMP", **changes)


def test_what_two_modes_take_in_two_ways_is_told_by_its_kind(tmp_path: Path) -> None:
    pair = both(tmp_path, census(), refused())
    (found,) = pair.freedoms
    assert pair.told(found) == TOLD
    assert found.example == f"{UNSERVED} of census-1, seed 5 (1 endpoints)"
    assert (pair.same, pair.different, pair.wrong, pair.alone) == (2, 2, 0, 0)


def test_whom_it_is_seen_from_is_what_the_last_clause_says(tmp_path: Path) -> None:
    other = census("nftables", served="delivered, seen from the client")
    (found,) = both(tmp_path, census(), other).freedoms
    assert (found.about, found.now) == ("stranger at a cluster IP", other["verdicts"][1]["seen"])


def test_what_nothing_decides_is_told_by_its_reason(tmp_path: Path) -> None:
    first, second = census(), refused()
    for each in (first, second):
        each["verdicts"][0]["allowed"] = "anything: nobody has to serve SCTP"
    (found,) = both(tmp_path, first, second).freedoms
    assert found.about == "nobody has to serve SCTP"


def test_other_endpoints_are_told_by_the_clause_that_one_of_them_follows(tmp_path: Path) -> None:
    first, second = census(), census("nftables")
    for each, endpoints in ((first, [1, 2]), (second, [2])):
        each["verdicts"][1]["endpoints"] = endpoints
    second["verdicts"][1]["because"].insert(1, "hinted_for_this_node")
    pair = both(tmp_path, first, second)
    assert [pair.told(each) for each in pair.freedoms] == [
        TOLD.replace("unserved port of a cluster IP", "hinted for this node")
        .replace("passed on", "delivered to some endpoints")
        .replace("refused by ICMP", "delivered to others")
    ]


def test_what_is_wrong_is_a_requirements_to_tell(tmp_path: Path) -> None:
    for number, wrong in enumerate([census(right=False), census(served="dropped", right=False)]):
        pair = both(tmp_path / str(number), wrong, census("nftables"))
        assert (pair.same, pair.wrong, pair.freedoms) == (2, 2, [])


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 6},
        {"name": "combinations"},
        {"states": [{"name": "census-1", "about": "3 endpoints", "rows": [[0, 0]]}]},
    ],
    ids=["seed", "census", "Service"],
)
def test_other_states_are_not_compared(tmp_path: Path, changes: dict[str, Any]) -> None:
    pair = both(tmp_path, census(), refused(**changes))
    assert (pair.total, pair.freedoms) == (0, [])
    assert "seeds or suites differ" in pair.summary


def test_numbers_are_a_runs_own(tmp_path: Path) -> None:
    """Another run may come to attempts and verdicts in another order."""
    other = refused()
    for rows in ("attempts", "verdicts"):
        other[rows].reverse()
    for state in other["states"]:
        state["rows"] = [[1, 1], [0, 0]]
    pair = both(tmp_path, census(), other)
    assert [pair.told(each) for each in pair.freedoms] == [TOLD]


def test_versions_are_held_against_the_first(tmp_path: Path) -> None:
    paths = [
        run(
            tmp_path / version,
            census("iptables", seen),
            implementation={"name": "kube-proxy", "version": version},
            modes=["iptables"],
        )
        for version, seen in (("v1.34.0", "dropped"), ("v1.36.3", "passed on"))
    ]
    (pair,) = pairs(compare(paths))
    (found,) = pair.freedoms
    told = "dropped in v1.34.0 iptables, passed on in v1.36.3 iptables: 2 decisions"
    assert pair.told(found) == f"unserved port of a cluster IP: {told}"


def test_each_clause_has_its_decisions(tmp_path: Path) -> None:
    found = clauses(read(run(tmp_path, census(right=False), refused())))
    assert found == {
        "ready": {"iptables": (2, 2), "nftables": (2, 0)},
        "stranger at a cluster IP": {"iptables": (2, 2), "nftables": (2, 0)},
        "unserved port of a cluster IP": {"iptables": (2, 0), "nftables": (2, 0)},
    }


def test_all_pages_tell(tmp_path: Path) -> None:
    path = run(tmp_path / "run", census(), refused())
    comparison = compare([path])
    page = comparison_page.render(comparison, tmp_path)
    assert "unserved port of a cluster IP" in "".join(Page(page).text)
    assert "#decisions" in page
    assert TOLD in comparison_terminal.summary(comparison)
    assert "unserved port of a cluster IP" in markdown.render(comparison)
    document = json.loads(comparison_json.render(comparison))
    Draft202012Validator(schema("comparison")).validate(document)
    assert document["decisions"][0]["different"][0]["decisions"] == 2
    own = "".join(Page(run_page.render(read(path))).text)
    assert "1,234 decisions, 5 wrong" in own
    assert "stranger at a cluster IP" in own
    assert "Censuses: 8 decisions, 8 a worker second" in terminal.summary(read(path))


def test_without_a_census_nothing_is_said_of_one(tmp_path: Path) -> None:
    path = run(tmp_path / "run")
    comparison = compare([path])
    assert not pairs(comparison)
    assert "#decisions" not in comparison_page.render(comparison, tmp_path)
    assert "#censuses" not in run_page.render(read(path))
    assert "Censuses" not in terminal.summary(read(path))


def test_shards_keep_their_censuses(tmp_path: Path) -> None:
    parts = [run(tmp_path / mode, census(mode), modes=[mode]) for mode in ("iptables", "nftables")]
    whole = merge.merge(parts, tmp_path / "whole")
    assert [each.mode for each in whole.censuses] == ["iptables", "nftables"]
    assert valid(tmp_path / "whole" / "results.jsonl") == 7


@pytest.mark.parametrize("row", [[2, 0], [0, 2]])
def test_a_row_that_stands_for_nothing_is_refused(tmp_path: Path, row: list[int]) -> None:
    bad = census(states=[{"name": "census-1", "about": "", "rows": [row]}])
    with pytest.raises(ResultFileError, match="no such attempt or verdict"):
        read(run(tmp_path, bad))


def test_a_census_of_a_mode_that_was_not_asked_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultFileError, match="mode ipvs is none"):
        read(run(tmp_path, census("ipvs")))


def test_its_rows_are_few_bytes(tmp_path: Path) -> None:
    """Some ten thousand decisions are to be a few hundred kB."""
    small = run(tmp_path / "small", census()).stat().st_size
    states = [
        {"name": f"census-{n}", "about": "two endpoints", "rows": [[199, 99]] * 100}
        for n in range(100)
    ]
    changes = {
        "attempts": [f"{SERVED}{n}" for n in range(200)],
        "verdicts": census()["verdicts"] * 50,
        "states": states,
    }
    assert run(tmp_path / "large", census(**changes)).stat().st_size - small < 150_000
