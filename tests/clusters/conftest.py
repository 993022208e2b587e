"""A file that says what an implementation is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Written = Callable[[str], str]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Write the text to a TOML file and return its path."""

    def write(text: str) -> str:
        path = tmp_path / "other.toml"
        path.write_text(text)
        return str(path)

    return write
