"""The table as one HTML page: it works offline, without scripts, on paper too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.pages.environment import environment
from reports.table.markdown import TITLE

if TYPE_CHECKING:
    from reports.table.rows import Table


def render(found: Table) -> str:
    """The page."""
    return environment().get_template("table.html.j2").render(found=found, title=TITLE)
