"""Expected failures: what they are about, and which files of them are refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.version import Version

from clusters import implementation
from clusters.build import artifacts
from clusters.implementations import expectations, versions
from clusters.implementations.expectations import Expectation
from specification.errors import ImplementationError
from tests.clusters.conftest import Written
from tests.clusters.test_implementation import GOOD

KNOWN = """
[[expected]]
requirement = "ct-udp-zero-eps"
modes = ["fast"]
cases = "IPv6-*"
reason = "broken"
reference = "https://example.invalid/1"
"""


def test_expected_failures_are_read(written: Written) -> None:
    assert expectations.load(Path(written(KNOWN))) == [
        Expectation("ct-udp-zero-eps", "broken", "https://example.invalid/1", ("fast",), "IPv6-*")
    ]
    assert expectations.load(Path(written("# nothing is known to be broken\n"))) == []


@pytest.mark.parametrize(
    ("requirement", "mode", "case", "covered"),
    [
        ("ct-udp-zero-eps", "fast", "IPv6-UDP", True),
        ("ct-udp-zero-eps", "fast", "IPv4-UDP", False),
        ("ct-udp-zero-eps", "slow", "IPv6-UDP", False),
        ("ct-udp-zero", "fast", "IPv6-UDP", False),
    ],
)
def test_expectation_covers_its_cases(
    written: Written, requirement: str, mode: str, case: str, covered: bool
) -> None:
    (known,) = expectations.load(Path(written(KNOWN)))
    assert known.covers(requirement, mode, case) is covered


def test_expectation_without_modes_and_cases_covers_all() -> None:
    known = Expectation("a", "why", "where")
    assert known.covers("a", "any", "")
    assert known.covers("a", "other", "IPv4-TCP-pod")


@pytest.mark.parametrize(
    ("versions", "version", "applies"),
    [
        ("", "v1.34.4", True),
        ("", "main", True),
        ("<1.36", "v1.34.4", True),
        ("<1.36", "v1.36.0", False),
        ("<1.36", "1.35.4+k3s1", True),
        (">=1.32,<1.37", "v1.36.3", True),
        (">=1.32,<1.37", "v1.37.0-rc.1", False),
        ("<1.36", "main", False),
    ],
)
def test_expectation_is_about_its_versions(versions: str, version: str, applies: bool) -> None:
    assert Expectation("a", "why", "where", versions=versions).applies_to(version) is applies


@pytest.mark.parametrize(
    ("providers", "provider", "holds"),
    [
        ((), "embedded", False),
        ((), "kind", False),
        (("embedded",), "embedded", False),
        (("embedded",), "kind", True),
    ],
)
def test_expectation_is_about_its_providers(
    providers: tuple[str, ...], provider: str, holds: bool
) -> None:
    assert Expectation("a", "why", "where", providers=providers).holds_on(provider) is holds


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('reason = "broken"', 'reason = "x"\nproviders = ["kind"]', "providers and elsewhere go"),
        ('reason = "broken"', 'reason = "x"\nelsewhere = "y"', "providers and elsewhere go"),
        ('reason = "broken"', 'reason = "x"\nin_bursts = true', "in_bursts is about what is so by"),
        ('cases = "IPv6-*"', 'versions = "before 2"', "versions: 'before 2' is none such as"),
        ('reason = "broken"', "", "[[expected]] number 1: reason is missing"),
        ('reason = "broken"', 'raeson = "broken"', "number 1: raeson is unknown"),
        ('reason = "broken"', "reason = 3", "number 1: reason: str is needed, not 3"),
        ('modes = ["fast"]', 'modes = "fast"', "number 1: modes: array is needed, not 'fast'"),
        ("[[expected]]", "[expected]", "tables [[expected]] are needed"),
        ("[[expected]]", "[[expects]]", "expects is unknown"),
        ("[[expected]]", "[[expected]", "cannot be read"),
    ],
)
def test_wrong_expectations_are_refused_in_one_line(
    written: Written, old: str, new: str, message: str
) -> None:
    with pytest.raises(ImplementationError) as refused:
        expectations.load(Path(written(KNOWN.replace(old, new))))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_expectations_name_modes_of_their_implementation(tmp_path: Path, written: Written) -> None:
    listed = 'expected_failures = "known.toml"\n[environment]'
    read = implementation.load(written(GOOD.replace("[environment]", listed)))
    (tmp_path / "known.toml").write_text(KNOWN)
    assert [each.modes for each in expectations.of(read)] == [("fast",)]
    (tmp_path / "known.toml").write_text(KNOWN.replace("fast", "fats"))
    with pytest.raises(
        ImplementationError, match="other has no mode 'fats': choose from fast, slow"
    ):
        expectations.of(read)


def test_implementation_may_list_no_expectations(written: Written) -> None:
    assert expectations.of(implementation.load(written(GOOD))) == []


def test_missing_file_of_expectations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImplementationError, match="cannot be read"):
        expectations.load(tmp_path / "missing.toml")


NEWEST = max(re.findall(r"\d+\.\d+\.\d+", artifacts._KNOWN), key=Version)
"""The newest release that can be built, and so run."""


def test_what_is_known_of_releases_that_cannot_be_run_is_marked_as_read() -> None:
    chosen = implementation.load("kube-proxy")
    known = [(each.versions, each.read) for each in expectations.of(chosen)]
    for about, read in [*known, *((each.versions, each.read) for each in chosen.lacking)]:
        beyond = versions.cover(about, NEWEST) != versions.cover(about, "99.0")
        assert bool(read) is beyond, f"{about!r}: read, or seen in a run?"


def test_versions_that_are_read_are_looked_at(written: Written) -> None:
    with pytest.raises(ImplementationError, match="versions: 'next' is none such as"):
        expectations.load(Path(written(KNOWN + 'read = "next"\n')))
