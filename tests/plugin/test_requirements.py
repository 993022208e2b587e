"""The catalogue of requirements: CONFORMANCE.md is generated, and what it says holds together."""

from __future__ import annotations

import subprocess
import sys

import pytest

from clusters import implementation
from fixtures.plugin import expectations
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def generated() -> str:
    """CONFORMANCE.md as it should be."""
    words = [
        "-m",
        "pytest",
        "conformance",
        "--list-requirements=markdown",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_conformance_page_is_fresh(generated: str) -> None:
    page = (ROOT / "CONFORMANCE.md").read_text()
    assert page.strip() == generated.strip(), "run ./conform list --markdown > CONFORMANCE.md"


def test_expected_failures_name_requirements(generated: str) -> None:
    for chosen in map(implementation.load, ["kube-proxy"]):
        known = expectations.load(chosen.path.parent / chosen.expected_failures)
        for expected in known:
            assert f"| `{expected.requirement}` |" in generated
            assert set(expected.modes) <= set(chosen.modes)
            assert expected.reference.startswith("https://")


def test_claimed_features_are_features_of_requirements(generated: str) -> None:
    chosen = implementation.load("kube-proxy")
    claimed = chosen.features.union(*(mode.features for mode in chosen.modes.values()))
    unknown = {
        feature
        for feature in claimed
        if f"| extended: {feature} |" not in generated and f"| mode: {feature} |" not in generated
    }
    assert not unknown, "kube-proxy.toml claims what no requirement asks for"
