"""Service proxies of others: what they are built from, as their authors wrote them. Each has a
go.mod of its own, in the folder of its name.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from clusters.build import toolchain
from specification.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Foreign(NamedTuple):
    """A program of a Go module, and what else of that it needs."""

    module: str
    package: str
    """Of the module: where the program's main is."""
    version: str
    """The variable, of the module too, that says the version."""
    tools: Mapping[str, str] = {}
    """Packages of further programs that are built beside it, by name."""
    files: Mapping[str, str] = {}
    """Folders of the module that it needs when it runs, by the name that they have beside it."""
    tags: str = ""


FOREIGN: Final[Mapping[str, Foreign]] = {
    "kube-router": Foreign(
        "github.com/cloudnativelabs/kube-router/v2", "cmd/kube-router", "pkg/version.Version"
    ),
    "cilium-agent": Foreign(
        "github.com/cilium/cilium",
        "daemon",
        "pkg/version.ciliumVersion",
        tools={"cilium-dbg": "cilium-dbg"},
        files={"bpf": "bpf", "crds": "pkg/k8s/apis/cilium.io/client/crds"},
        tags="osusergo",
    ),
}


def copy_files(foreign: Foreign, go: Path, module: Path, place: Path) -> None:
    """Put the folders that a program needs into ``place``, which may be written there (the agent of
    Cilium writes headers among its sources).

    Raises:
        ArtifactError: the module cannot be had, or has no such folder.
    """
    if not foreign.files:
        return
    told = toolchain.run(go, ["list", "-m", "-f", "{{.Dir}}", foreign.module], module)
    for name, folder in foreign.files.items():
        source = Path(told.strip(), folder)
        if not source.is_dir():
            raise ArtifactError(f"{foreign.module} has no folder {folder}")
        shutil.copytree(source, place / name, copy_function=shutil.copyfile, dirs_exist_ok=True)
        for each in (place / name, *(place / name).rglob("*")):
            each.chmod(0o755 if each.is_dir() else 0o644)
