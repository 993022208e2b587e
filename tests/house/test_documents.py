"""What the documents say of the tree, and of a run, is true."""

import re
from collections import Counter
from pathlib import Path

import pytest

from conformance import AREAS
from tests.conftest import ROOT

DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
)
README_LINES = 150
FILES_OF_A_PROBE = 8


def journey() -> list[tuple[str, list[str]]]:
    """The files that a probe passes, and what it meets in each, as docs/concepts.md tells it."""
    text = (ROOT / "docs" / "concepts.md").read_text()
    rows = re.findall(r"^\| `([\w/]+\.py)` \| (.*?) \|", text, re.MULTILINE)
    return [(file, re.findall(r"`([\w.]+)`", names)) for file, names in rows]


def test_the_readme_is_read_to_its_end() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= README_LINES


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text()
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    inside = [link for link in links if "://" not in link]
    assert [link for link in inside if not (ROOT / document).parent.joinpath(link).exists()] == []


def test_the_journey_of_a_probe_is_true() -> None:
    steps = journey()
    assert 0 < len(steps) <= FILES_OF_A_PROBE
    assert len({file for file, _ in steps}) == len(steps), "each file once"
    for file, names in steps:
        source = (ROOT / file).read_text()
        for name in names:
            defined = rf"^ *(?:def|class) {name.rpartition('.')[2]}\b"
            assert re.search(defined, source, re.MULTILINE), f"{file} has no {name}"


def requirements() -> Counter[str]:
    """How many requirements CONFORMANCE.md lists in each area."""
    found: Counter[str] = Counter()
    area, names = "", {title: name for name, title in AREAS.items()}
    for line in (ROOT / "CONFORMANCE.md").read_text().splitlines():
        if line.startswith("## "):
            area = names[line.removeprefix("## ")]
        elif line.startswith("| `"):
            found[area] += 1
    return found


def counted(cell: str) -> int:
    """The sum of the numbers of a cell such as ``59 pass, 2 expected failures``."""
    return sum(int(number) for number in re.findall(r"(\d+) [a-z]", cell))


def test_the_run_in_the_readme_is_of_these_requirements() -> None:
    (shown,) = re.findall(
        r"```text\n(kube-proxy v.*?)```", Path(ROOT / "README.md").read_text(), re.DOTALL
    )
    matrix = shown.split("\n\n")[1].splitlines()
    rows = {row.split()[0]: re.split(r" {2,}", row)[1:] for row in matrix[1:]}
    listed = requirements()
    assert {area: [counted(cell) for cell in cells] for area, cells in rows.items()} == {
        area: [number] * len(matrix[0].split()) for area, number in listed.items()
    }, "make the run anew: python -m tests.house.example"
