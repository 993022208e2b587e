"""Takes out of the catalogue what tests say by now: ``python -m tests.house.catalogue`` removes the
tables of rows that have a test from ``conformance/catalogue``. What they said of undecided and
struck rows goes too.
"""

import re
import sys
from collections.abc import Collection

from fixtures.catalogue.rows import FOLDER
from fixtures.catalogue.tested import collected

_TABLE = re.compile(r"^\[([a-z0-9-]+)\]$.*?(?=^\[|\Z)", re.MULTILINE | re.DOTALL)


def without(text: str, tested: Collection[str]) -> str:
    """A section's file without the tables of those rows."""
    left = _TABLE.sub(lambda table: "" if table[1] in tested else table[0], text)
    return left.rstrip() + "\n"


def main() -> int:
    """Rewrite the sections where that is needed."""
    tested = collected()
    for part in ("packets", "proxy"):
        for path in sorted((FOLDER / part).glob("*.toml")):
            text = path.read_text()
            if (settled := without(text, tested)) != text:
                path.write_text(settled)
                print(path.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
