"""What is reached of a kube-proxy that was built to count it (`artifacts.proxy`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from clusters.build import artifacts, toolchain
from specification.errors import ArtifactError

FOLDER = "GOCOVERDIR"
"""The environment variable that tells such a kube-proxy where to write what it has counted."""


@dataclass(frozen=True)
class Counted:
    """What `go tool covdata` prints of all processes that have counted into a folder."""

    profile: str
    """Its ``textfmt``: a line for each block of statements, and how often it was reached."""
    functions: str
    """Its ``func``: where each function begins, its name, and the percentage that was reached."""

    @classmethod
    def read(cls, folder: Path, profile: Path) -> Self:
        """Read it, and keep the profile, which is of use for `go tool cover`.

        Raises ArtifactError where the counters cannot be read.
        """
        go = toolchain.need(artifacts.needed_go())
        toolchain.run(go, ["tool", "covdata", "textfmt", f"-i={folder}", f"-o={profile}"], folder)
        functions = toolchain.run(go, ["tool", "covdata", "func", f"-i={folder}"], folder)
        return cls(profile.read_text(), functions)


def sources(version: str) -> Path:
    """Where the module is that a version of kube-proxy was built of.

    Raises ArtifactError where it has been removed.
    """
    go = toolchain.need(artifacts.needed_go())
    modules = toolchain.run(go, ["env", "GOMODCACHE"], artifacts.BUILD).strip()
    module = f"k8s.io/kubernetes@{version}"
    if not (folder := Path(modules, module)).is_dir():
        raise ArtifactError(f"{folder} is missing: go mod download {module}")
    return folder
