"""One proxy on nodes of two kinds: what columns are called, what differs, and what explains it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from reports.model import fingerprints, node_words
from reports.model.comparison import NEWLY_PASSING, Comparison, compare
from reports.model.parity import Parity, parities
from reports.model.run import read
from reports.pages import comparison_page
from reports.pages import run_page as page_of_a_run
from reports.schemas import schema
from reports.texts import comparison_json, comparison_terminal, markdown
from reports.texts.terminal import summary
from tests.reports.test_html import NASTY, Page
from tests.samples import run as sample

if TYPE_CHECKING:
    from pathlib import Path

WHY = "kind sets a sysctl (https://example.org/kind)"
KIND = {"kind": "kind", "kubernetes": "v1.36.3", "image": "kindest/node:v1.36.3"}
KNOWN = {"outcome": "expected-failure", "reason": "it is broken (https://example.org/broken)"}
UNABLE = {"outcome": "skipped", "reason": "unsupported on this kind of node: no such thing"}
FAILED = {"outcome": "failed", "reason": "no answer"}
PASSED: dict[str, Any] = {}
Cases = dict[str, dict[str, Any]]


def run(folder: Path, kind: str, cases: Cases | None = None, **changes: Any) -> Path:
    """A run in iptables mode on nodes of that kind: a requirement that holds, and another of which
    each case is as given.
    """
    system = changes.pop("system", KIND if kind == "kind" else {"kind": kind})
    given = {"": PASSED} if cases is None else cases
    header = {"run": folder.name, "modes": ["iptables"], "provider": kind}
    return sample.write(
        folder,
        sample.header(**header | changes),
        sample.requirement("plain"),
        sample.requirement("telling"),
        sample.fingerprint("iptables", system=system),
        sample.result("plain"),
        *(sample.result("telling", case=case, **result) for case, result in given.items()),
    )


def both(tmp_path: Path, namespaces: Cases, kind: Cases) -> Comparison:
    return compare([run(tmp_path / "a", "netns", namespaces), run(tmp_path / "b", "kind", kind)])


def found(tmp_path: Path, namespaces: Cases, kind: Cases) -> Parity:
    (parity,) = parities(both(tmp_path, namespaces, kind))
    return parity


# --- names ----------------------------------------------------------------------------------------


def test_columns_are_named_by_their_nodes_where_these_differ(tmp_path: Path) -> None:
    paths = [run(tmp_path / kind, kind) for kind in ("netns", "vm", "kind")]
    assert [column.label for column in compare(paths).columns] == [
        "iptables on namespace nodes",
        "iptables on virtual machines",
        "iptables on kind nodes",
    ]
    again = run(tmp_path / "again", "kind")
    assert [c.label for c in compare([paths[2], again]).columns] == [
        "iptables, kind",
        "iptables, again",
    ]


def test_kernels_stand_beside_the_nodes(tmp_path: Path) -> None:
    machine = sample.write(
        tmp_path / "machine",
        sample.header(run="machine", modes=["iptables"], provider="vm"),
        sample.requirement(),
        sample.fingerprint("iptables", system={"kind": "vm"}, kernel="6.1.0"),
        sample.result(),
    )
    columns = compare([run(tmp_path / "here", "netns"), machine]).columns
    assert [column.label for column in columns] == [
        "iptables on namespace nodes (6.18.2-amd64)",
        "iptables on virtual machines (6.1.0)",
    ]


def test_modes_on_nodes_of_their_own_are_told_apart_by_the_mode_alone(tmp_path: Path) -> None:
    path = sample.write(
        tmp_path,
        sample.header(provider="netns, vm"),
        sample.requirement(),
        sample.fingerprint("iptables", system={"kind": "netns"}),
        sample.fingerprint("nftables", system={"kind": "vm", "accelerator": "kvm"}),
        sample.result(),
        sample.result(mode="nftables"),
    )
    comparison = compare([path])
    assert [column.label for column in comparison.columns] == ["iptables", "nftables"]
    assert parities(comparison) == ()
    told = "namespace nodes (iptables) and virtual machines (nftables; KVM)"
    assert node_words.told(read(path)) == told


def test_nodes_that_never_came_up_are_what_was_asked_for(tmp_path: Path) -> None:
    header = sample.header(modes=["iptables"], provider="kind")
    asked = read(sample.write(tmp_path / "a", header, sample.requirement()))
    assert node_words.of(asked, "iptables") == "kind nodes"
    header = sample.header(provider="netns, vm")
    either = read(sample.write(tmp_path / "b", header, sample.requirement()))
    assert node_words.of(either, "iptables") == node_words.told(either) == ""


def test_a_run_on_kind_says_what_its_nodes_are(tmp_path: Path) -> None:
    there = read(run(tmp_path, "kind"))
    title = summary(there).splitlines()[0]
    about = "Kubernetes v1.36.3, image kindest/node:v1.36.3"
    assert title == f"kube-proxy v1.36.3 on kind nodes ({about})"
    assert about in page_of_a_run.render(there)
    assert "<dt>Kind nodes</dt><dd>iptables" in page_of_a_run.render(there)
    rows = {row.name: row.values["iptables"] for row in fingerprints.rows(there)}
    assert rows["node"] == "kind node"
    assert rows["node image"] == "kindest/node:v1.36.3"
    assert rows["Kubernetes"] == "v1.36.3"


# --- what differs, and why ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("namespaces", "kind", "because"),
    [
        (KNOWN, {"reason": WHY}, (WHY,)),
        ({"reason": WHY}, KNOWN, (WHY,)),
        (PASSED, UNABLE, (UNABLE["reason"],)),
        (FAILED, UNABLE, (UNABLE["reason"],)),
        (PASSED, {"outcome": "unclaimed", "reason": "not claimed"}, ("not claimed",)),
        (PASSED, {"outcome": "skipped"}, ()),
        (KNOWN, PASSED, ()),
        (PASSED, FAILED, ()),
        (KNOWN, FAILED, ()),
        (FAILED, {"reason": WHY}, ()),
        (PASSED, {"outcome": "unexpected-pass", "reason": "listed"}, ()),
        (PASSED, {"outcome": "error", "reason": "no node"}, ()),
    ],
)
def test_only_a_reason_that_is_about_the_nodes_explains_a_difference(
    tmp_path: Path, namespaces: dict[str, Any], kind: dict[str, Any], because: tuple[str, ...]
) -> None:
    parity = found(tmp_path, {"": namespaces}, {"": kind})
    (unlike,) = parity.unlike
    assert unlike.requirement.id == "telling"
    assert unlike.because == because
    assert parity.unexplained == (not because)
    said = {reason for each in unlike.said for reason in each}
    given = {each["reason"] for each in (namespaces, kind) if "reason" in each}
    assert said == given - set(because)
    (pair,) = parity.pairs
    assert (pair.same, pair.total, pair.alone) == ({"passed": 1}, 2, 0)


@pytest.mark.parametrize("result", [PASSED, KNOWN, UNABLE, FAILED])
def test_what_is_the_same_is_no_difference(tmp_path: Path, result: dict[str, Any]) -> None:
    parity = found(tmp_path, {"": result}, {"": result})
    assert parity.unlike == ()
    assert parity.pairs[0].total == sum(parity.pairs[0].same.values()) == 2


def test_a_case_that_differs_is_a_difference_though_the_word_is_the_same(tmp_path: Path) -> None:
    (unlike,) = found(tmp_path, {"x": KNOWN, "y": KNOWN}, {"x": KNOWN, "y": PASSED}).unlike
    assert [cell.word for cell in unlike.cells] == ["expected-failure"] * 2
    assert [result.case for result, _ in unlike.results] == ["y"]


def test_one_case_without_a_reason_leaves_the_whole_without_one(tmp_path: Path) -> None:
    known = {"x": KNOWN, "y": KNOWN}
    assert found(tmp_path / "1", known, {"x": {"reason": WHY}, "y": PASSED}).unexplained == 1
    assert found(tmp_path / "2", known, {key: {"reason": WHY} for key in "xy"}).unexplained == 0


def test_a_sample_is_held_against_the_cases_that_it_has(tmp_path: Path) -> None:
    whole: Cases = {"x": FAILED, "y": PASSED}
    assert found(tmp_path / "1", whole, {"y": PASSED}).unlike == ()
    assert len(found(tmp_path / "2", whole, {"x": PASSED}).unlike) == 1


def test_what_one_side_alone_has_judged_is_counted_apart(tmp_path: Path) -> None:
    (pair,) = found(tmp_path, {"": PASSED}, {}).pairs
    assert (pair.total, pair.alone, pair.unlike) == (1, 1, ())


def test_only_the_same_proxy_is_held_against_itself(tmp_path: Path) -> None:
    older = {"name": "kube-proxy", "version": "v1.35.2"}
    here, there = run(tmp_path / "a", "netns"), run(tmp_path / "b", "kind", implementation=older)
    assert parities(compare([here, there])) == ()
    assert parities(compare([here, run(tmp_path / "c", "netns")])) == ()
    unknown = run(tmp_path / "d", "", system={})
    assert parities(compare([here, unknown])) == ()


def test_each_kind_is_held_against_the_first(tmp_path: Path) -> None:
    paths = [run(tmp_path / kind, kind) for kind in ("kind", "netns", "vm")]
    assert [parity.nodes for parity in parities(compare(paths))] == [
        ("kind nodes", "namespace nodes"),
        ("kind nodes", "virtual machines"),
    ]


def test_what_else_differs_is_said(tmp_path: Path) -> None:
    suite = {"name": "kube-proxy-conformance", "version": "0.1.0", "commit": "5" * 40}
    paths = [run(tmp_path / "a", "netns"), run(tmp_path / "b", "kind", suite=suite)]
    (parity,) = parities(compare(paths))
    assert parity.also == ("commit of the suite: 4f0c2a9be1d3, 555555555555",)
    assert found(tmp_path / "more", {}, {}).also == ()
    changed = suite | {"commit": f"{'5' * 40}-modified-12ab34cd"}
    (parity,) = parities(compare([paths[1], run(tmp_path / "m", "netns", suite=changed)]))
    assert parity.also == ("commit of the suite: 555555555555, 555555555555-modified-12ab34cd",)
    unknown = run(tmp_path / "c", "kind", suite=suite | {"commit": None})
    assert parities(compare([paths[0], unknown]))[0].also == ()


@pytest.mark.parametrize("turned", [False, True])
def test_why_it_holds_is_said_where_verdicts_differ(tmp_path: Path, turned: bool) -> None:
    runs = (
        run(tmp_path / "a", "netns", {"": KNOWN}),
        run(tmp_path / "b", "kind", {"": {"reason": WHY}}),
    )
    comparison = compare(runs[::-1] if turned else runs)
    (difference,) = comparison.differences if turned else comparison.of_kind(NEWLY_PASSING)
    assert set(difference.reasons) == {KNOWN["reason"], WHY}
    matrix = comparison_page.render(comparison, tmp_path).partition('id="requirements"')[2]
    assert "kind sets a sysctl" in matrix


# --- formats --------------------------------------------------------------------------------------


@pytest.fixture(name="differing")
def fixture_differing(tmp_path: Path) -> Comparison:
    return both(tmp_path, {"": KNOWN, "x": PASSED}, {"": {"reason": WHY}, "x": FAILED})


@pytest.fixture(name="explained")
def fixture_explained(tmp_path: Path) -> Comparison:
    return both(tmp_path / "explained", {"": KNOWN}, {"": {"reason": WHY}})


def test_the_page_shows_what_differs_and_marks_what_nothing_explains(
    differing: Comparison, explained: Comparison, tmp_path: Path
) -> None:
    marked, told = (
        comparison_page.render(comparison, tmp_path).partition('<section id="parity">')[2]
        for comparison in (differing, explained)
    )
    mark = '<span class="chip failed">not explained</span>'
    marked, told = (text.partition("</section>")[0] for text in (marked, told))
    assert mark in marked
    assert "kind nodes: no answer" in marked
    assert '<li class="low"><strong>1</strong> not explained' in marked
    assert mark not in told
    assert "<strong>1</strong> of 2 requirements the same in iptables mode" in told
    assert "<strong>1</strong> explained" in told
    assert 'kind sets a sysctl (<a href="https://example.org/kind">' in told
    assert "namespace nodes: it is broken" in told


def test_pages_without_parity_have_no_such_section(tmp_path: Path) -> None:
    comparison = compare([run(tmp_path / "a", "netns"), run(tmp_path / "b", "netns")])
    assert "arity" not in comparison_page.render(comparison, tmp_path)
    assert "arity" not in markdown.render(comparison)
    assert "arity" not in comparison_terminal.summary(comparison)
    assert comparison_json.document(comparison).parity == ()


def test_links_of_the_page_lead_somewhere(differing: Comparison, tmp_path: Path) -> None:
    page = Page(comparison_page.render(differing, tmp_path))
    assert "#parity" in page.links
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


def test_markdown_has_a_row_for_each(differing: Comparison, explained: Comparison) -> None:
    told = markdown.render(explained)
    assert "## Parity: namespace nodes and kind nodes" in told
    assert "- iptables: 1 of 2 requirements have the same verdict" in told
    assert f"| iptables | expected failure | pass | {WHY}<br>namespace nodes: it is" in told
    assert "not explained" not in told
    row = next(line for line in markdown.render(differing).splitlines() if "❌ **not" in line)
    assert row.startswith("| `telling` | iptables | expected failure | **FAIL** |")
    assert row.count("|") == 6


def test_the_terminal_says_both_words(differing: Comparison, explained: Comparison) -> None:
    lines = comparison_terminal.summary(explained).splitlines()
    start = lines.index("Parity: namespace nodes and kind nodes")
    assert lines[start + 1 : start + 3] == [
        "  iptables: 1 of 2 requirements the same",
        "  telling, iptables: expected failure and pass, explained: kind sets a sysctl (https://example.or...",
    ]
    told = comparison_terminal.summary(differing)
    assert "  telling, iptables: expected failure and FAIL, NOT EXPLAINED" in told.splitlines()
    assert "\x1b[31mNOT EXPLAINED" in comparison_terminal.summary(differing, colour=True)


def test_the_document_is_as_its_schema_says(differing: Comparison) -> None:
    told = json.loads(comparison_json.render(differing))
    Draft202012Validator(schema("comparison")).validate(told)
    assert [column["nodes"] for column in told["columns"]] == ["namespace nodes", "kind nodes"]
    assert told["parity"] == [
        {
            "mode": "iptables",
            "nodes": ["namespace nodes", "kind nodes"],
            "columns": ["iptables on namespace nodes", "iptables on kind nodes"],
            "same": {"passed": 1},
            "alone": 0,
            "differing": [
                {
                    "requirement": "telling",
                    "words": ["expected-failure", "failed"],
                    "cases": ["", "x"],
                    "because": [],
                    "said": [[KNOWN["reason"]], [WHY, "no answer"]],
                }
            ],
        }
    ]
    told["parity"][0]["nodes"].append("a third")
    assert not Draft202012Validator(schema("comparison")).is_valid(told)


def test_markup_of_others_stays_text(tmp_path: Path) -> None:
    nasty = f"{NASTY} @someone | `code`"
    system = {"kind": nasty, "image": nasty, "kubernetes": nasty}
    paths = [
        run(tmp_path / "a", "netns", {"": {"outcome": "failed", "reason": f"{nasty} here"}}),
        run(tmp_path / "b", "other", {"": {"outcome": "skipped", "reason": nasty}}, system=system),
    ]
    comparison = compare(paths)
    assert parities(comparison)
    for text in (
        comparison_page.render(comparison, tmp_path),
        markdown.render(comparison),
        page_of_a_run.render(read(paths[1])),
    ):
        assert NASTY not in text
    rows = [line for line in markdown.render(comparison).splitlines() if "`telling`" in line]
    assert rows[0].replace(r"\|", "").count("|") == 6
    comparison_terminal.summary(comparison).encode("ascii")
