"""What the tests of the suite itself share."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from clusters import sandbox
from clusters.build.cache import locked

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

pytest_plugins = ["pytester"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the one option that tests of the suite have for themselves."""
    parser.addoption(
        "--every-mutant",
        action="store_true",
        help="run all mutants, and not an eighth of them, chosen by the seed",
    )


def _chosen(config: pytest.Config) -> str:
    """Which mutants are run."""
    if config.option.every_mutant:
        return "every one of the mutants"
    return f"an eighth of the mutants, by --seed {config.option.seed} (--every-mutant: all)"


def pytest_report_header(config: pytest.Config) -> str:
    """Say by what a run is repeated."""
    return _chosen(config)


ROOT = Path(__file__).parents[1]

IMPLEMENTATION = """
name = "pretender"
binary = "pretender"
version = ["{binary}", "--version"]
argv = ["{binary}"]
ready = ""
expected_failures = "pretender.expected-failures.toml"
features = ["sctp"]

[modes.first]
present = ["true"]
rules = []

[modes.second]
present = ["false"]
rules = []
features = ["bursts"]
"""


@pytest.fixture
def pretender(tmp_path: Path) -> Path:
    """The TOML file of an implementation that does nothing: enough for tests of the plugin."""
    program = tmp_path / "pretender"
    program.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Pretender v0.1 || exec sleep 600\n')
    program.chmod(0o755)
    (tmp_path / "pretender.expected-failures.toml").write_text("")
    described = tmp_path / "pretender.toml"
    described.write_text(IMPLEMENTATION)
    return described


@pytest.fixture
def run_suite() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``pytest`` on the conformance suite as a user does, in a sandbox of its own; ``through``
    is what comes before it.
    """

    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*options.pop("through", ()), sys.executable, "-m", "pytest", *arguments],
            cwd=ROOT,
            env=outside() | options.pop("env", {}),
            capture_output=True,
            text=True,
            timeout=options.pop("timeout", 120),
            check=False,
        )

    return run


def _no_kind() -> str:
    """Why no kind cluster can be made here; empty where one can, or has to (in continuous
    integration).
    """
    from clusters.kind.image import build as image

    if os.geteuid() != 0:
        return "only root may judge kind clusters"
    if os.environ.get("CI"):
        return ""
    if not shutil.which("dockerd"):
        return "there is no dockerd: ./conform --provider kind installs what it needs"
    if not (image._folder() / f"node-{image._digest()}.tar").exists():
        return "there is no node image yet: ./conform kind-image makes one"
    return ""


needs_kind = pytest.mark.skipif(bool(_no_kind()), reason=_no_kind())


def outside() -> dict[str, str]:
    """The environment for a run in a sandbox of its own, inside the one that the tests run in."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "TOX_"))
    } | {sandbox.NESTED: "1"}


def alone_with(what: str) -> AbstractContextManager[None]:
    """Nobody else who asks for it has ``what`` on this machine while the block runs."""
    lock = ROOT / "results" / "selftest" / f"{what}.lock"
    return locked(lock, f"another test has {what}: waiting", None)


_kills: list[list[object]] = []  # gathered from all workers in the process that reports


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Gather what tests of mutants have found."""
    if report.when == "call":
        for name, value in report.user_properties:
            if name == "kills" and isinstance(value, list):
                _kills.extend(value)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the kill matrix, and write it."""
    if not _kills:
        return
    from tests.mutants import matrix
    from tests.mutants.run import RESULTS

    kills = matrix.from_records(_kills)
    matrix.write(kills, RESULTS)
    terminalreporter.section("kill matrix", "=")
    terminalreporter.write_line(_chosen(terminalreporter.config))
    for line in matrix.as_text(kills):
        terminalreporter.write_line(line)
    terminalreporter.write_line(f"Kill matrix: {RESULTS.relative_to(ROOT) / 'kill-matrix.html'}")
