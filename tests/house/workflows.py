"""Checks the workflow, and how it uses the action: ``python -m tests.house.workflows``.

actionlint is a Go module, pinned beside this file, and built by the Go that builds the proxies.
"""

import os
import subprocess
import sys
from pathlib import Path

from clusters.build import toolchain

ROOT = Path(__file__).parents[2]
MODULE = Path(__file__).with_name("actionlint")
GO = "1.25.0"  # what the module asks for


def main() -> int:
    """Print what is wrong; actionlint's exit code."""
    go = toolchain.need(GO, sys.stderr)
    files = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    argv = [
        str(go),
        "-C",
        str(MODULE),
        "tool",
        "actionlint",
        "-shellcheck=",
        "-pyflakes=",
        *map(str, files),
    ]
    return subprocess.run(argv, check=False, env=os.environ | toolchain.environment(go)).returncode


if __name__ == "__main__":
    sys.exit(main())
