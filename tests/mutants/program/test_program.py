"""What the faults in kube-proxy's program are put into, and what is built of that."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from clusters.build import artifacts
from tests.mutants.faults.program.insertion import PACKAGE, Insertion, after, before, instead
from tests.mutants.program import build

FILE = """\
package proxy

func (p *Proxier) Sync() {
	p.queue()
	p.run()
}
"""


def put(insertion: Insertion) -> list[str]:
    """The lines of the file's function with it."""
    return insertion.into(FILE, "lazy").splitlines()[3:-1]


def test_a_statement_is_there_with_its_mutant_alone() -> None:
    guarded = 'if mutants.Is("lazy") { return }'
    assert put(before("sync.go", "p.run()", "return")) == ["\tp.queue()", guarded, "\tp.run()"]
    assert put(after("sync.go", "p.queue()\np.run()", "return"))[-1] == guarded
    assert put(instead("sync.go", "p.run()")) == [
        "\tp.queue()",
        'if mutants.Is("lazy") {  } else {',
        "\tp.run()",
        "}",
    ]


@pytest.mark.parametrize("lines", ["p.walk()", "}\n}", "p.run()\np.queue()"])
def test_a_place_that_there_is_not_is_an_error(lines: str) -> None:
    with pytest.raises(ValueError, match=r"lazy: .* has 0 places"):
        before("sync.go", lines, "return").into(FILE, "lazy")


def test_a_place_must_be_the_only_one() -> None:
    with pytest.raises(ValueError, match="has 2 places"):
        before("sync.go", "p.run()", "return").into(FILE + FILE, "lazy")


def test_a_file_may_have_several_faults() -> None:
    texts: dict[str, str] = {}
    for name in ("lazy", "hasty"):
        faulty = before("sync.go", "p.run()", "return").into(texts.get("sync.go", FILE), name)
        texts["sync.go"] = faulty
    assert texts["sync.go"].count("mutants.Is(") == 2


def test_every_fault_has_its_place_in_the_source() -> None:
    texts = build.mutated(artifacts.sources())
    whole = "".join(texts.values())
    missing = [
        each.name for each in build.of_program() if f'mutants.Is("{each.name}")' not in whole
    ]
    assert not missing
    assert all(PACKAGE in text for text in texts.values())


def test_the_program_has_faults_where_it_is_told_so(tmp_path: Path) -> None:
    binary = build.binary()
    settings, record = tmp_path / "mutant.json", tmp_path / "record"
    settings.write_text(f'{{"MUTANT": "arguments-ignored", "MUTANT_RECORD": "{record}"}}')

    def said(**environment: str) -> str:
        """What it says of an argument that is no flag, and of a file that there is not."""
        argv = [str(binary), "start", "--config=/nowhere/config.json"]
        return subprocess.run(
            argv, env=environment, capture_output=True, text=True, check=False
        ).stderr

    assert "does not take any arguments" in said()
    assert not record.exists()
    assert "no such file or directory" in said(MUTANT_SETTINGS=str(settings))
    assert record.read_text().splitlines() == ["unaltered", "altered"]
