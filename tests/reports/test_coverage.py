"""What is told of the code that tests reach, from what `go tool covdata` prints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from reports.model import coverage
from reports.model.coverage import Coverage
from reports.texts.coverage import Report

Read = Callable[..., Coverage]

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

SOURCE = "\n" * 11 + "\tif err != nil {\n\t\treturn nil, err\n\t}\n"


class Known(NamedTuple):
    """A reason."""

    functions: tuple[str, ...]
    branches: tuple[str, ...] = ()
    reason: str = "of no use"


NEVER = Known(("pkg/proxy/fast.(*Proxier).Never",))


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read what was reached of a proxy in its mode ``fast`` and in another one, with reasons."""
    file = tmp_path / "pkg" / "proxy" / "fast" / "proxier.go"
    file.parent.mkdir(parents=True)
    file.write_text(SOURCE)
    fast = PROFILE.format(new=1, inside=0), FUNCTIONS
    other = PROFILE.format(new=0, inside=2), FUNCTIONS
    return lambda *known, pinned=True: Coverage.read(
        {"fast": fast, "other": other}, known, tmp_path, pinned=pinned
    )


def test_blocks_belong_to_the_function_that_they_are_in(read: Read) -> None:
    assert [(one.full_name, len(one.blocks)) for one in read().functions] == [
        ("pkg/proxy/fast.(*Proxier).Never", 1),
        ("pkg/proxy/fast.(*Proxier).Sync", 2),
        ("pkg/proxy/fast.NewProxier", 2),
        ("pkg/proxy/slow.NewProxier", 1),
    ]


def test_the_share_is_of_statements_and_of_one_mode(read: Read) -> None:
    fast = read().packages["pkg/proxy/fast"]
    assert coverage.share(fast, "fast") == 5 / 11
    assert coverage.share(fast, "other") == 3 / 11
    assert coverage.share((), "fast") is None


def test_unreached_is_what_no_mode_reaches_of_the_modes_that_ran(read: Read) -> None:
    found = read().unreached(["slow"])
    assert [(one.name, one.missed[0].line) for one in found] == [
        ("(*Proxier).Never", 40),
        ("NewProxier", 12),
    ]
    assert "pkg/proxy/slow" in [one.package for one in read().unreached([])]


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (NEVER, []),
        (Known(("pkg/proxy/slow.*",)), []),
        (Known(("pkg/proxy/fast.NewProxier",), ("return nil, err",)), []),
        (
            Known(("pkg/proxy/fast.NewProxier",)),
            ["pkg/proxy/fast.NewProxier is reached in fast mode, at line 10"],
        ),
        (
            Known(("*.*Sync", "*.*Never")),
            [
                "pkg/proxy/fast.(*Proxier).Sync is reached in fast and other mode, at line 20",
                "pkg/proxy/fast.(*Proxier).Sync is reached in other mode, at line 24",
            ],
        ),
        (Known(("pkg/proxy/fast.Renamed",)), ["there is no function pkg/proxy/fast.Renamed"]),
        (
            Known(("pkg/proxy/fast.NewProxier",), ("if gone {",)),
            ["there is no branch 'if gone {' in pkg/proxy/fast.NewProxier"],
        ),
    ],
)
def test_a_reason_is_of_code_that_nothing_reaches(
    read: Read, known: Known, said: list[str]
) -> None:
    assert read(known).stale == said


def test_another_release_need_not_have_what_is_known(read: Read) -> None:
    renamed = Known(("pkg/proxy/fast.Renamed",)), Known(("*.NewProxier",), ("if gone {",))
    assert read(*renamed, pinned=False).stale == []
    assert len(read(Known(("*.*Sync",)), pinned=False).stale) == 2


def test_another_format_is_an_error(tmp_path: Path) -> None:
    printed = "mode: atomic\n", "total\t(statements)\t0.0%\n"
    with pytest.raises(ValueError, match="no function of Kubernetes"):
        Coverage.read({"fast": printed}, (), tmp_path, pinned=True)


def test_the_terminal_shows_packages_and_what_nobody_explains(read: Read) -> None:
    report = Report("proxy v1", read(NEVER, Known(("a.Renamed",))), ("slow",))
    assert (
        report.terminal(Path("coverage.md"))
        == """\
                    fast     other
pkg/proxy/fast    45.5 %    27.3 %
pkg/proxy/slow     0.0 %     0.0 %

Statements that no test reaches, and nobody knows why
     1 of    4  pkg/proxy/fast.NewProxier

fast mode: 45.5 % of pkg/proxy/fast (71.4 % of what can be reached); \
of 6 statements that are missed, 4 for known reasons
other mode: - of pkg/proxy/other; of 0 statements that are missed, 0 for known reasons
error: a reason is wrong: there is no function a.Renamed
Report: coverage.md"""
    )


def test_the_page_has_reasons_and_the_lines_that_lead_to_what_is_not_reached(read: Read) -> None:
    page = Report("proxy v1", read(NEVER), ("slow",)).markdown()
    assert "| `pkg/proxy/fast.(*Proxier).Never` | 4 | of no use |" in page
    assert "`pkg/proxy/fast.NewProxier`, 4 statements, pkg/proxy/fast/proxier.go:" in page
    assert "\n       12  if err != nil { return nil, err\n" in page
    assert "slow.NewProxier` | 10 | 0.0 % | 0.0 % |" in page, "among all functions"
    assert "wrong" not in page


def test_branches_have_reasons_too(read: Read) -> None:
    known = Known(("pkg/proxy/fast.New*",), ("return nil, err",))
    page = Report("proxy v1", read(known), ("slow",)).markdown()
    assert "return nil, err\n           (of no use)\n" in page
    assert "| `pkg/proxy/fast.(*Proxier).Never` | 4 | **unknown** |" in page
