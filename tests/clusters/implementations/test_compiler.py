"""The compiler of Cilium's agent, which compiles the same but once."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from clusters.implementations.cilium import compiler

if TYPE_CHECKING:
    from pathlib import Path

_FAKE = """#!/bin/sh
# Compiles what is in the file behind -c: all but its comments, options first.
for each; do
    case $each in -E) preprocessing=yes ;; /*) source=$each ;; esac
done
text=$(sed 's:#.*::' "$source")
case $text in *nonsense*) echo "error: nonsense" >&2; exit 1 ;; esac
[ "${preprocessing-}" ] && { echo "$text"; exit; }
echo run >> "$0.runs"
echo "object of $text by $1"
"""


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """A compiler, and in its folder one that remembers."""
    made = tmp_path / "compiler"
    made.write_text(_FAKE)
    made.chmod(0o755)
    compiler.install(tmp_path / "bin", made, tmp_path / "results")
    return made


def run(fake: Path, text: str, option: str = "-O2", place: str = "a") -> str:
    """What the one that remembers prints for a source at a place."""
    source = fake.parent / place / "prog.c"
    source.parent.mkdir(exist_ok=True)
    source.write_text(text)
    argv: list[str | Path] = [
        fake.parent / "bin" / "clang",
        option,
        f"-I{source.parent}",
        "-c",
        source,
        "-o",
        "-",
    ]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def times(fake: Path) -> int:
    """How often the compiler has compiled."""
    runs = fake.with_name("compiler.runs")
    return len(runs.read_text().splitlines()) if runs.exists() else 0


def test_the_same_is_compiled_once_wherever_it_lies(fake: Path) -> None:
    first = run(fake, "one # comment")
    assert first == "object of one  by -O2\n"
    assert run(fake, "one # another", place="b") == first
    assert times(fake) == 1


def test_another_source_option_or_compiler_has_another_result(fake: Path) -> None:
    run(fake, "one")
    assert run(fake, "two") == "object of two by -O2\n"
    assert run(fake, "one", option="-O1") == "object of one by -O1\n"
    fake.write_text(_FAKE.replace("object of", "newer object of"))
    assert run(fake, "one") == "newer object of one by -O2\n"
    assert times(fake) == 4


def test_what_it_refuses_is_refused_and_not_remembered(fake: Path) -> None:
    for _ in range(2):
        with pytest.raises(subprocess.CalledProcessError) as refused:
            run(fake, "nonsense")
        assert "error: nonsense" in refused.value.stderr
    assert run(fake, "sense") == "object of sense by -O2\n"
    assert len(list((fake.parent / "results").iterdir())) == 1


def test_other_calls_are_passed_on(fake: Path) -> None:
    source = fake.parent / "prog.c"
    source.write_text("one")
    argv: list[str | Path] = [fake.parent / "bin" / "clang", "-E", source]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "one\n"
    assert not list((fake.parent / "results").iterdir())


def test_what_nobody_asks_for_is_forgotten(fake: Path) -> None:
    run(fake, "one")
    run(fake, "two")
    results = fake.parent / "results"
    old = time.time() - 8 * 24 * 3600
    for each in results.iterdir():
        os.utime(each, (old, old))
    run(fake, "one")  # a result that is used is new again
    compiler.install(fake.parent / "bin", fake, results)
    assert len(list(results.iterdir())) == 1
    assert times(fake) == 2
