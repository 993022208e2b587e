"""The kube-proxy with all faults: built like the one that is judged, from a module whose files are
overlaid.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from functools import partial
from pathlib import Path

from clusters.build import artifacts, toolchain
from clusters.build.cache import cache_folder, digest
from tests.mutants import MUTANTS
from tests.mutants.faults.program.insertion import PACKAGE
from tests.mutants.mutant import Mutant

_MODULE = "k8s.io/kubernetes"
_LINK = "kubernetes"
"""Leads to the module's folder: Go overlays nothing in its cache of modules."""
_GUARD = Path(__file__).with_name("mutants.go")


def of_program() -> list[Mutant]:
    """All mutants whose fault is in the program, of whichever mode."""
    found = {each.name: each for some in MUTANTS.values() for each in some if each.of == "program"}
    return list(found.values())


def mutated(source: Path) -> dict[str, str]:
    """The files of the module in a folder that have any of the faults, with all that they have.

    Raises:
        ValueError: a fault has no place in them.
    """

    def read(path: str) -> str:
        text, imported = (source / path).read_text(), f'import (\n\tmutants "{PACKAGE}"'
        return re.sub(r"^import \($", imported, text, count=1, flags=re.MULTILINE)

    texts: dict[str, str] = {}
    for each in of_program():
        texts = each.mutate(texts, read)
    return texts


def binary() -> Path:
    """The program; it is built where it is not in the cache.

    Raises:
        ArtifactError: it cannot be built.
    """
    module = artifacts.sources()
    texts = mutated(module)
    made_of = digest(json.dumps(texts), _sources())
    path = cache_folder() / "binaries" / f"mutants-v{artifacts.PINNED}-{made_of}" / "kube-proxy"
    return artifacts.built(path, "the mutants", partial(_build, path, module, texts), None)


def _sources() -> list[Path]:
    """What else it is made of."""
    main = artifacts.BUILD / "kube-proxy" / "main.go"
    return [artifacts.BUILD / "go.mod", artifacts.BUILD / "go.sum", main, _GUARD]


def _build(path: Path, module: Path, texts: dict[str, str]) -> None:
    go = toolchain.need(artifacts.needed_go())
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="unfinished-", dir=path.parent) as name:
        folder = Path(name)
        for file in ("go.mod", "go.sum"):
            shutil.copy(artifacts.BUILD / file, folder)
        shutil.copytree(artifacts.BUILD / "kube-proxy", folder / "kube-proxy")
        (folder / "mutants").mkdir()
        shutil.copy(_GUARD, folder / "mutants")
        (folder / _LINK).symlink_to(module)
        overlay: dict[str, str] = {}
        for number, (file, text) in enumerate(texts.items()):
            written = folder / f"{number}.txt"
            written.write_text(text)
            overlay[str(folder / _LINK / file)] = str(written)
        (folder / "overlay.json").write_text(json.dumps({"Replace": overlay}))
        with (folder / "go.mod").open("a") as file_of_module:
            file_of_module.write(f"\nreplace {_MODULE} => ./{_LINK}\n")
        unfinished = folder / path.name / "mutated"
        stamped = artifacts.stamp(gitVersion=f"v{artifacts.PINNED}")
        flags = [
            "-trimpath",
            "-mod=mod",
            f"-overlay={folder / 'overlay.json'}",
            "-o",
            str(unfinished),
        ]
        toolchain.run(go, ["build", *flags, "-ldflags", stamped, "./kube-proxy"], folder)
        unfinished.replace(path)
