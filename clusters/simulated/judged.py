"""What is judged on nodes in memory."""

from __future__ import annotations

import hashlib
import importlib.metadata
from pathlib import Path
from typing import Final

from clusters.program import Judged
from specification.rules import allowed

IMPLEMENTATION: Final = Path(__file__).with_name("specification.toml")
"""What it claims."""


def judged() -> Judged:
    """The executable specification: the version of the suite that it comes with, and a digest of
    its rules.
    """
    digest = hashlib.sha256()
    for file in sorted(Path(allowed.__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    version = importlib.metadata.version("kube-proxy-conformance")
    return Judged("specification", f"v{version}", digest.hexdigest())
