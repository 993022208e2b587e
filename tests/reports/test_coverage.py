"""What is told of the code that tests reach, from what `go tool covdata` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reports.model import coverage
from reports.model.coverage import Coverage
from reports.texts.coverage import Report

if TYPE_CHECKING:
    from pathlib import Path

FUNCTIONS = """\
kube-proxy-conformance/build/kube-proxy/main.go:12:\t\t\tmain\t\t\t\t100.0%
k8s.io/kubernetes/pkg/proxy/fast/proxier.go:10:\t\t\tNewProxier\t\t\t50.0%
k8s.io/kubernetes/pkg/proxy/fast/proxier.go:20:\t\t\t*Proxier.Sync\t\t\t66.7%
k8s.io/kubernetes/pkg/proxy/fast/proxier.go:40:\t\t\t*Proxier.Never\t\t0.0%
k8s.io/kubernetes/pkg/proxy/slow/proxier.go:10:\t\t\tNewProxier\t\t\t0.0%
total\t\t\t\t\t\t\t\t\t(statements)\t\t\t50.0%
"""

PROFILE = """\
mode: atomic
k8s.io/kubernetes/pkg/proxy/fast/proxier.go:10.30,12.20 3 {new}
k8s.io/kubernetes/pkg/proxy/fast/proxier.go:12.20,14.3 1 0
k8s.io/kubernetes/pkg/proxy/fast/proxier.go:20.30,22.20 2 7
k8s.io/kubernetes/pkg/proxy/fast/proxier.go:24.15,26.4 1 {inside}
k8s.io/kubernetes/pkg/proxy/fast/proxier.go:40.30,44.2 4 0
k8s.io/kubernetes/pkg/proxy/slow/proxier.go:10.30,12.20 10 0
kube-proxy-conformance/build/kube-proxy/main.go:12.13,14.2 1 1
"""

SOURCE = "\n".join(
    ["\n" * 10, "\tif err != nil {", "\t\treturn nil, err", "\t}", "\n" * 9, "\tcall(func() {"]
)


@pytest.fixture
def reached() -> Coverage:
    """A proxy of two modes, of which the first ran, and a third of its own that ran too."""
    first = PROFILE.format(new=1, inside=0), FUNCTIONS
    second = PROFILE.format(new=0, inside=2), FUNCTIONS
    return Coverage.read({"fast": first, "other": second})


def test_blocks_belong_to_the_function_that_they_are_in(reached: Coverage) -> None:
    assert [(one.full_name, len(one.blocks)) for one in reached.functions] == [
        ("pkg/proxy/fast.(*Proxier).Never", 1),
        ("pkg/proxy/fast.(*Proxier).Sync", 2),
        ("pkg/proxy/fast.NewProxier", 2),
        ("pkg/proxy/slow.NewProxier", 1),
    ]


def test_the_share_is_of_statements_and_of_one_mode(reached: Coverage) -> None:
    fast = reached.packages["pkg/proxy/fast"]
    assert coverage.share(fast, "fast") == 5 / 11
    assert coverage.share(fast, "other") == 3 / 11
    assert coverage.share((), "fast") is None


def test_unreached_is_what_no_mode_reaches_of_the_modes_that_ran(reached: Coverage) -> None:
    found = reached.unreached(["slow"])
    assert [(one.name, one.missed[0].first) for one in found] == [
        ("(*Proxier).Never", 40),
        ("NewProxier", 12),
    ]
    assert "pkg/proxy/slow" in [one.package for one in reached.unreached([])]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("pkg/proxy/fast.(*Proxier).Never", []),
        ("pkg/proxy/slow.*", []),
        ("pkg/proxy/fast.NewProxier", ["pkg/proxy/fast.NewProxier is reached in fast mode"]),
        (
            "pkg/proxy/fast.(*Proxier).Sync",
            [
                "pkg/proxy/fast.(*Proxier).Sync is reached in fast mode",
                "pkg/proxy/fast.(*Proxier).Sync is reached in other mode",
            ],
        ),
        ("pkg/proxy/fast.Renamed", ["there is no function pkg/proxy/fast.Renamed"]),
    ],
)
def test_a_reason_is_of_a_function_that_nothing_reaches(
    reached: Coverage, pattern: str, said: list[str]
) -> None:
    assert coverage.stale(reached, {pattern: "why"}) == said


def test_another_format_is_an_error() -> None:
    with pytest.raises(ValueError, match="no function of Kubernetes"):
        Coverage.read({"fast": ("mode: atomic\n", "total\t(statements)\t0.0%\n")})


def test_the_terminal_shows_packages_and_what_nobody_explains(
    reached: Coverage, tmp_path: Path
) -> None:
    known = {"pkg/proxy/fast.(*Proxier).Never": "of no use", "pkg/proxy/fast.Renamed": "wrong"}
    report = Report("proxy v1", reached, known, ("slow",), tmp_path)
    page = tmp_path / "coverage.md"
    assert (
        report.terminal(page)
        == f"""\
                    fast     other
pkg/proxy/fast    45.5 %    27.3 %
pkg/proxy/slow     0.0 %     0.0 %

Statements that no test reaches, by function
     1 of    4  pkg/proxy/fast.NewProxier

fast mode: 45.5 % of pkg/proxy/fast
other mode: - of pkg/proxy/other
error: a reason is wrong: there is no function pkg/proxy/fast.Renamed
Report: {page}"""
    )


def test_the_page_has_reasons_and_the_lines_that_lead_to_what_is_not_reached(
    reached: Coverage, tmp_path: Path
) -> None:
    file = tmp_path / "pkg" / "proxy" / "fast" / "proxier.go"
    file.parent.mkdir(parents=True)
    file.write_text(SOURCE)
    page = Report(
        "proxy v1", reached, {"pkg/proxy/fast.(*Proxier).N*": "of no use"}, ("slow",), tmp_path
    ).markdown()
    assert "| `pkg/proxy/fast.(*Proxier).Never` | 4 | of no use |" in page
    assert "`pkg/proxy/fast.NewProxier`, 4 statements, pkg/proxy/fast/proxier.go:" in page
    assert "\n   12  if err != nil { return nil, err\n" in page
    assert "slow.NewProxier` | 10 | 0.0 % | 0.0 % |" in page, "among all functions"
    assert "wrong" not in page
