"""No folder and no module outgrows what one look takes in."""

import subprocess
from collections import Counter
from pathlib import PurePath

from tests.conftest import ROOT
from tests.house import ROOMS

LINES = 400
"""What a module may have at most."""

FILES = 14
"""What a folder may hold at most, its ``__init__.py`` among them."""


def tracked() -> list[PurePath]:
    """Files of the rooms that git knows, or would take."""
    argv = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *ROOMS, "tests"]
    listed = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True)
    return [PurePath(line) for line in listed.stdout.splitlines() if (ROOT / line).exists()]


def crowded(files: list[PurePath]) -> dict[str, int]:
    """Folders with too many files, and how many they hold."""
    counts = Counter(str(file.parent) for file in files)
    return {folder: count for folder, count in counts.items() if count > FILES}


def test_no_folder_holds_more_than_one_look_takes_in() -> None:
    assert crowded(tracked()) == {}


def test_no_module_has_more_lines_than_one_purpose_needs() -> None:
    modules = [file for file in tracked() if file.suffix == ".py"]
    lines = {str(file): len((ROOT / file).read_text().splitlines()) for file in modules}
    assert {file: count for file, count in lines.items() if count > LINES} == {}


def test_a_crowded_folder_is_noticed() -> None:
    full = [PurePath(f"fixtures/lab/{number}.py") for number in range(FILES + 1)]
    assert crowded(full) == {"fixtures/lab": FILES + 1}
