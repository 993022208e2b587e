"""What each release did against the one before it, and what has no known cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from clusters import implementation
from releases.causes import Listed
from reports.model.releases import BROKE, CHANGED, MENDED, UNCOMPARED, Releases, line_up
from specification.errors import ResultFileError
from tests.samples import census
from tests.samples.releases import DEMANDED, Outcomes, release

if TYPE_CHECKING:
    from pathlib import Path

GONE = "ct-udp-zero-eps"  # broken from 1.32.3 to 1.36, both modes
PORTS = "ct-udp-port-change"  # mended in 1.34


@pytest.fixture(name="listed", scope="module")
def fixture_listed() -> Listed:
    return Listed(implementation.load("kube-proxy"))


def lined(folder: Path, listed: Listed, *outcomes: tuple[str, Outcomes], **more: Any) -> Releases:
    paths = [release(folder, version, found, **more) for version, found in outcomes]
    return line_up(paths, listed)


def told(found: Releases) -> list[tuple[str, str, tuple[str, ...], bool]]:
    """What the last release did, mode by mode, and whether somebody knows why."""
    return [(c.kind, c.requirement.id, c.modes, not c.unknown) for c in found.steps[-1].changes]


def test_what_was_broken_and_mended_has_its_source(tmp_path: Path, listed: Listed) -> None:
    old = {GONE: "passed", PORTS: "expected-failure"}
    new = {GONE: "expected-failure", PORTS: "passed"}
    found = lined(tmp_path, listed, ("v1.32.2", old), ("v1.34.4", new))
    both = ("iptables", "nftables")
    assert told(found) == [(BROKE, GONE, both, True), (MENDED, PORTS, both, True)]
    broke, mended = found.steps[0].changes
    assert [cause.reference for cause in broke.causes] == [
        "https://github.com/kubernetes/kubernetes/issues/139628"
    ]
    assert "looks at endpoints' addresses alone" in mended.causes[0].told
    assert broke.cases == ("IPv4-UDP", "IPv6-UDP")
    assert (found.exit_code, found.answer) == (0, "Each of 2 differences has a known cause.")


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("passed", "failed", BROKE),
        ("failed", "passed", MENDED),
        ("expected-failure", "unexpected-pass", MENDED),
        ("passed", "skipped", UNCOMPARED),
        ("passed", "", UNCOMPARED),
        ("failed", "failed", None),
        ("passed", "passed", None),
        ("skipped", "skipped", None),
    ],
)
def test_what_nobody_has_listed_has_no_known_cause(
    tmp_path: Path, listed: Listed, before: str, after: str, kind: str | None
) -> None:
    old, new = {GONE: before, "cip-tcp-dnat": "passed"}, {GONE: after, "cip-tcp-dnat": "passed"}
    found = lined(tmp_path, listed, ("v1.32.2", old), ("v1.34.4", new))
    assert [(c.kind, c.unknown) for c in found.steps[0].changes] == ([(kind, True)] if kind else [])
    wrong = [each for each in (before, after) if each in ("failed", "unexpected-pass")]
    assert [cell.word for _, _, cell in found.unlisted] == [
        each for each in wrong for _ in range(2)
    ]
    assert found.exit_code == int(bool(kind or wrong))


def test_an_entry_explains_its_own_versions_modes_and_cases_alone(
    tmp_path: Path, listed: Listed
) -> None:
    old = {"ct-udp-keep-live//IPv6-UDP": "expected-failure", "ct-udp-keep-live": "passed"}
    new = {"ct-udp-keep-live//IPv4-UDP": "expected-failure", "ct-udp-keep-live": "passed"}
    found = lined(tmp_path, listed, ("v1.31.0", old), ("v1.36.3", new))
    assert [(c.kind, c.cases, c.unknown) for c in found.steps[0].changes] == [
        (BROKE, ("IPv4-UDP",), True),  # the entry is about IPv6
        (MENDED, ("IPv6-UDP",), False),
    ]
    assert found.exit_code == 1
    old, new = {GONE: "passed"}, {GONE: "expected-failure"}
    same = lined(tmp_path / "b", listed, ("v1.36.1", old), ("v1.36.3", new))
    assert told(same) == [(BROKE, GONE, ("iptables", "nftables"), False)], "it is about both"


def test_modes_are_told_apart_where_they_differ(tmp_path: Path, listed: Listed) -> None:
    old = {PORTS: "expected-failure"}
    new = {f"{PORTS}/iptables": "passed", PORTS: "failed"}
    found = lined(tmp_path, listed, ("v1.33.13", old), ("v1.34.4", new))
    assert told(found) == [(MENDED, PORTS, ("iptables",), True)]
    assert [(column.mode, each.id) for column, each, _ in found.unlisted] == [("nftables", PORTS)]
    assert found.exit_code == 1


def test_a_feature_that_came_has_the_source_of_its_table(tmp_path: Path, listed: Listed) -> None:
    features = {"topo-node-hints": "node-hints"}
    old, new = {"topo-node-hints": "unclaimed"}, {"topo-node-hints": "passed"}
    found = lined(tmp_path, listed, ("v1.33.13", old), ("v1.34.4", new), features=features)
    (change,) = found.steps[0].changes
    assert (change.kind, change.was, change.now) == (CHANGED, "unclaimed", "passed")
    assert "PreferSameTrafficDistribution" in change.causes[0].told
    assert change.causes[0].reference.endswith("/130844")
    again = lined(tmp_path / "b", listed, ("v1.34.4", old), ("v1.36.3", new), features=features)
    assert again.exit_code == 1, "both have it, by the file"


def test_what_fails_for_another_reason_has_changed(tmp_path: Path, listed: Listed) -> None:
    name = "ct-udp-keep-shared-ip"
    failing = {f"{name}//IPv4-UDP": "passed", name: "expected-failure"}
    found = lined(tmp_path, listed, ("v1.31.0", failing), ("v1.32.2", failing))
    (change,) = found.steps[0].changes
    assert (change.kind, len(change.causes)) == (CHANGED, 2)


def test_chance_is_no_difference(tmp_path: Path, listed: Listed) -> None:
    old = {"sync-atomic": "passed"}
    new = {"sync-atomic/nftables": "expected-failure", "sync-atomic": "passed"}
    found = lined(tmp_path, listed, ("v1.36.1", old), ("v1.36.3", new))
    assert told(found) == []
    assert found.exit_code == 0


def test_each_is_held_against_the_one_before(tmp_path: Path, listed: Listed) -> None:
    found = lined(
        tmp_path,
        listed,
        ("v1.32.2", {GONE: "passed"}),
        ("v1.34.4", {GONE: "expected-failure"}),
        ("v1.36.3", {GONE: "expected-failure"}),
        ("v1.37.2", {GONE: "passed"}),
    )
    kinds = [[change.kind for change in step.changes] for step in found.steps]
    assert kinds == [[BROKE], [], [MENDED]]
    assert [column.label for column in found.comparison.columns][-1] == "v1.37.2 nftables"


@pytest.mark.parametrize(
    ("outcomes", "word"),
    [
        ({DEMANDED: "passed"}, "ready"),
        ({DEMANDED: "expected-failure"}, "not ready"),
        ({DEMANDED: "failed"}, "not ready"),
        ({DEMANDED: "unclaimed"}, "not ready"),
        ({DEMANDED: "skipped"}, "not tested"),
    ],
)
def test_what_kubernetes_will_demand_is_held_against_each_mode(
    tmp_path: Path, listed: Listed, outcomes: Outcomes, word: str
) -> None:
    found = lined(tmp_path, listed, ("v1.36.3", outcomes | {GONE: "expected-failure"}))
    (columns,) = found.announced.values()
    assert [(each.release, each.column.mode, each.word) for each in columns] == [
        ("1.41", mode, word) for mode in ("iptables", "nftables")
    ]


def test_nothing_is_said_of_what_was_not_run(tmp_path: Path, listed: Listed) -> None:
    assert lined(tmp_path, listed, ("v1.36.3", {GONE: "expected-failure"})).announced == {}


def test_decisions_that_a_feature_is_about_have_its_source(tmp_path: Path, listed: Listed) -> None:
    name = "cip-unserved-port-rejected"
    features = {name: "unserved-port-rejected"}
    old = release(
        tmp_path, "v1.29.6", {name: "unclaimed"}, census.census("nftables"), features=features
    )
    new = release(
        tmp_path,
        "v1.36.3",  # there are more that lack something else, too
        {name: "passed"},
        census.census("nftables", "refused"),
        features=features,
    )
    (step,) = line_up([old, new], listed).steps
    (pair,) = step.pairs
    (freedom,) = pair.freedoms
    assert (freedom.was, freedom.now, pair.different) == ("passed on", "refused", 2)
    assert ["v1.29.6" in cause.reference for cause in step.decided[freedom]] == [True]


def test_runs_of_two_seeds_or_of_one_version_are_refused(tmp_path: Path, listed: Listed) -> None:
    one = release(tmp_path / "a", "v1.36.3", {GONE: "passed"}, seed=7)
    other = release(tmp_path / "b", "v1.37.2", {GONE: "passed"}, seed=8)
    with pytest.raises(ResultFileError, match="of another seed than"):
        line_up([one, other], listed)
    again = release(tmp_path / "c", "v1.36.3", {GONE: "passed"}, seed=7, name="again")
    with pytest.raises(ResultFileError, match=r"v1\.36\.3 was given twice"):
        line_up([one, again], listed)
