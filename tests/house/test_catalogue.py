"""The catalogue's data and the tests agree, and nothing in it is stale."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fixtures.catalogue import __main__ as command
from fixtures.catalogue import peers, rows, told
from fixtures.catalogue.peers import Case, Peer
from fixtures.catalogue.rows import Row, Section, State
from fixtures.catalogue.tested import collected
from specification.errors import CatalogueError
from tests.house.catalogue import without

ROW = 'statement = "A proxy must."\nlevel = "core"\nsources = "KEP-1"\n'
OPEN = Row("A proxy must.", "core", "KEP-1")
UNDECIDED = Row("A proxy must not.", "core", "KEP-1", undecided="no wire", needs="a wire")
STRUCK = Row("A proxy may.", "core", "KEP-1", struck="nobody says so")
SECTION = Section(
    "01-a",
    "A",
    ("a-tested", "a-open", "a-undecided", "a-struck"),
    ("a-more",),
    {"a-open": OPEN, "a-undecided": UNDECIDED, "a-struck": STRUCK},
)
TESTED = ("a-tested", "a-more")


@pytest.fixture(scope="module")
def tested() -> Mapping[str, Mapping[str, Any]]:
    """The requirements of the suite."""
    return collected()


def file(folder: Path, text: str, name: str = "packets/01-a.toml") -> Path:
    """A folder with one file of the catalogue."""
    (folder / name).parent.mkdir()
    (folder / name).write_text(text)
    return folder


def test_every_row_has_exactly_one_state(tested: Mapping[str, Mapping[str, Any]]) -> None:
    assert list(rows.faults(rows.sections(), tested)) == []


def test_every_case_of_a_peer_names_rows_and_is_not_stale() -> None:
    assert list(peers.faults(peers.peers(), rows.states(rows.sections()))) == []


def test_nothing_of_the_catalogue_got_lost() -> None:
    """Rows are struck, never taken out: the catalogue had 713, and the peers 929 cases."""
    assert sum(len(section.ids) for section in rows.sections()) == 713
    cases = [case for peer in peers.peers() for case in peer.cases]
    assert sum(not case.beside for case in cases) >= 929


def test_states_are_what_tables_say() -> None:
    assert dict(SECTION.counts()) == dict.fromkeys(rows.STATES, 1)
    assert list(rows.faults([SECTION], TESTED)) == []


@pytest.mark.parametrize(
    ("tested", "wrong"),
    [
        (("a-more",), "a-tested has neither a test nor a table"),
        ((*TESTED, "a-undecided"), "a-undecided has a test, which says it"),
        ((*TESTED, "a-open"), "a-open has a test, which says it"),
        ((*TESTED, "a-tset"), "a-tset is tested and in no section"),
        (("a-tested",), "a-more has neither a test nor a table"),
    ],
)
def test_what_does_not_agree_with_the_tests_is_told(tested: tuple[str, ...], wrong: str) -> None:
    (found,) = rows.faults([SECTION], tested)
    assert wrong in found


def test_rows_that_are_listed_twice_or_nowhere_are_told() -> None:
    twice = Section("02-b", "B", ("a-tested",), (), {"a-lost": OPEN})
    found = list(rows.faults([SECTION, twice], TESTED))
    assert found == ["a-tested is listed 2 times", "02-b: [a-lost] is not among its ids"]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("ids = ''\nown = ''\n", "title: a text is needed"),
        (f"title = 'A'\nids = 'a-b'\nown = ''\n[a-b]\n{ROW}undecided = 'x'\n", "go together"),
        (f"title = 'A'\nids = 'a-b'\nown = ''\n[a-b]\n{ROW}over = 'IPv5'\n", "IPv5 is neither"),
        (f"title = 'A'\nids = 'a-b'\nown = ''\n[a-b]\n{ROW}state = 'x'\n", "state is unknown"),
        ("title = 'A'\nids = 'a-b'\nown = ''\n[a-b]\nlevel = 'core'\n", "statement is missing"),
        ("title = ", "cannot be read"),
    ],
)
def test_a_file_that_is_not_right_is_refused(tmp_path: Path, text: str, wrong: str) -> None:
    with pytest.raises(CatalogueError, match=r"01-a\.toml.*" + wrong):
        rows.sections(file(tmp_path, text))


def test_tables_of_tested_rows_are_taken_out() -> None:
    text = f"title = 'A'\n\n[a-b]\n{ROW}\n[a-c]\n{ROW}"
    assert without(text, {"a-b"}) == f"title = 'A'\n\n[a-c]\n{ROW}"
    assert without(text, set()) == text


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        ("what a-tested decides", "tested"),
        ("what a-tested and a-more decide", "tested"),
        ("what a-tested and a-open say", "open"),
        ("what a-undecided says, of dual-stack nodes", "undecided"),
        ("nobody says so", "struck"),
    ],
)
def test_a_struck_row_is_as_decided_as_those_that_its_reason_names(reason: str, state: str) -> None:
    struck = Row("A proxy may.", "core", "KEP-1", struck=reason)
    section = replace(SECTION, rows={**SECTION.rows, "a-struck": struck})
    assert rows.states([section]) == {
        **STATES,
        "a-more": "tested",
        "a-struck": state,
    }
    assert section.state("a-struck") == "struck"


STATES: Mapping[str, State] = {
    "a-tested": "tested",
    "a-open": "open",
    "a-undecided": "undecided",
    "a-struck": "struck",
}


@pytest.mark.parametrize(
    ("case", "state"),
    [
        (Case("t", "c", ("a-tested",)), "decided"),
        (Case("t", "c", ("a-tested", "a-open")), "open"),
        (Case("t", "c", ("a-tested",), missing="UDP"), "open"),
        (Case("t", "c", missing="no row says it"), "open"),
        (Case("t", "c", ("a-tested", "a-undecided")), "undecided"),
        (Case("t", "c", ("a-struck",)), "undecided"),
        (Case("t", "c", ("a-tested",), missing="UDP", undecided="no wire"), "undecided"),
        (Case("t", "c", beside="an API server's"), "beside"),
    ],
)
def test_a_case_is_decided_by_the_rows_that_it_names(case: Case, state: str) -> None:
    assert case.state(STATES) == state
    assert list(case.faults(STATES)) == []


@pytest.mark.parametrize(
    ("case", "wrong"),
    [
        (Case("t", "c", ("a-lost",)), "names a-lost, which the catalogue does not have"),
        (Case("t", "c"), "says nothing"),
        (Case("t", "c", ("a-tested",), beside="no"), "not both"),
        (Case("t", "c", ("a-tested",), undecided="no wire"), "is stale"),
    ],
)
def test_a_case_that_cannot_be_so_is_told(case: Case, wrong: str) -> None:
    (found,) = peers.faults([Peer("p", "P", True, (case,))], STATES)
    assert found.startswith("p: t: 'c' ")
    assert wrong in found


def test_cases_are_read_with_what_is_said_of_them(tmp_path: Path) -> None:
    text = 'title = "P"\nread = "v1"\npackets = true\n[t]\na = "x y"\nb = { missing = "UDP" }\n'
    (peer,) = peers.peers(file(tmp_path, text, "peers/p.toml"))
    assert peer.cases == (Case("t", "a", ("x", "y")), Case("t", "b", missing="UDP"))


def test_counts_of_peers_tell_the_share_that_is_about_packets() -> None:
    about = Peer("p", "P", True, (Case("t", "a", ("a-tested",)), Case("t", "b", ("a-open",))))
    other = Peer("q", "Q", False, (Case("t", "a", ("a-open",)), Case("t", "b", beside="no")))
    said = told.peer_counts([about, other], STATES)
    assert "about packets: 1 of 2 decided (50.0%)" in said
    assert [line.split()[1:] for line in said.splitlines()[1:4]] == [
        ["2", "1", "0", "1", "0"],
        ["1", "0", "0", "1", "1"],
        ["3", "1", "0", "2", "1"],
    ]


def test_the_appendix_tells_why_and_counts_what_is_open() -> None:
    said = told.appendix([SECTION])
    assert "1 have no test yet" in said
    assert "- `a-undecided`: A proxy must not. *Undecided*: no wire *Needed*: a wire" in said
    assert "- `a-struck`: A proxy may. *Struck*: nobody says so" in said
    assert "a-open" not in said


def test_the_command_tells_all_of_it_to_machines(
    tested: Mapping[str, Mapping[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "collected", lambda: tested)
    assert command.main(["--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    states = [row["state"] for section in listed["sections"] for row in section["rows"]]
    assert {state: states.count(state) for state in rows.STATES} == {
        state: listed["counts"][state] for state in rows.STATES
    }
    assert listed["counts"]["tested"] + listed["counts"]["own"] == len(tested)
    assert command.main(["--peers", "--json"]) == 0
    cases = [
        case for peer in json.loads(capsys.readouterr().out)["peers"] for case in peer["cases"]
    ]
    assert {case["state"] for case in cases} <= set(peers.CASE_STATES)
    assert command.main(["struck"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.endswith(")")


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["decided"], "there is no state decided: choose from tested, undecided, struck, open"),
        (["--peers", "tested"], "there is no state tested: choose from decided"),
        (["open", "--json"], "--json has all states: name none"),
        (["--markdown"], "unrecognized arguments: --markdown (conform catalogue --help)"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("conform: ")
    assert wrong in line


def test_a_catalogue_that_does_not_hold_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "collected", lambda: {"a-b": {}})
    assert command.main([]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(" more)")
