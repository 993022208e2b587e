"""What tests of the plugin share: a conformance run of the pretender."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from clusters.build.cache import cache_folder

if TYPE_CHECKING:
    from pathlib import Path


CACHE = cache_folder()


HEAD = """
import pytest
from fixtures.plugin.requirement import requirement
from specification.references import issue

def core(id):
    return requirement(id, issue(1))
"""


@pytest.fixture
def judged(pytester: pytest.Pytester, pretender: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run test code as a conformance run of the pretender: pytest's result and the records."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(CACHE.parent))  # pytester has moved HOME

    def run(
        code: str, *options: str, alone: bool = False
    ) -> tuple[pytest.RunResult, list[dict[str, Any]]]:
        pytester.makepyfile(HEAD + code)
        results = pytester.path / "results"
        words = [
            "-pfixtures.plugin",
            "-pno:cacheprovider",
            f"--implementation={pretender}",
            f"--results={results}",
        ]
        run = pytester.runpytest_subprocess if alone else pytester.runpytest_inprocess
        result = run(*words, *(options or ("--modes=first",)))
        files = sorted(results.glob("*Z-*/results.jsonl"))
        records = [json.loads(line) for line in files[-1].read_text().splitlines()] if files else []
        return result, records

    return run
