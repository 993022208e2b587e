"""A pytest plugin that has each test on kind run with mutants of kube-proxy.

One cluster serves all mutants: kube-proxy is started anew with each, on a node that bears nothing
of the one before. The wrappers that stand first on its PATH come through the folder of the suite's
that its pod sees, and so does the Python that runs them: its image has none.

The environment holds MUTANT_MODE, MUTANTS (names, comma-separated) and MUTANT_RECORDS (a folder
with a file for each, for what came of it).
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clusters.build import packing
from clusters.kind.image.archive import SEARCHED
from clusters.kind.node.container import DIRECTORY, Container
from tests.clusters import packed
from tests.conftest import ROOT
from tests.mutants import shared, wrapper
from tests.mutants.run import TOOLS, as_program
from tests.mutants.shared import name_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clusters.kind.image.archive import Files
    from fixtures.world.fixtures import World
    from tests.mutants.mutant import Mutant

_HERE = DIRECTORY / "mutants"
_PROGRAMS, _LIBRARIES, _PYTHON = _HERE / "bin", _HERE / "lib", _HERE / "python"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with each mutant that its requirement is to kill, and with none."""
    shared.parametrize(metafunc, "session")


@pytest.fixture(scope="session")
def wrapped(shared_world: World) -> None:
    """Put onto the node what wrappers need."""
    system = shared_world.node.system
    assert isinstance(system, Container)
    for path, source in _files().items():
        place = system.process / "root" / path.relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(source, str):
            place.symlink_to(source)
        elif isinstance(source, bytes):
            place.write_bytes(source)
        else:
            shutil.copyfile(source, place)
        if not place.is_symlink():
            place.chmod(0o755)


@pytest.fixture(scope="session", autouse=True)
def mutant(request: pytest.FixtureRequest, shared_world: World, wrapped: None) -> Iterator[Mutant]:
    """The mutant that the test runs with."""
    chosen: Mutant = request.param
    node, proxy = shared_world.node, shared_world.node.proxy
    memory = _HERE / "memory" / chosen.name
    record = memory / "record"
    node.run(["mkdir", "-p", str(memory)])
    proxy.stop()
    proxy.cleanup()
    proxy.implementation = dataclasses.replace(
        proxy.implementation,
        environment={
            "PATH": f"{_PROGRAMS}:{SEARCHED}",
            "MUTANT": name_of(os.environ["MUTANT_MODE"], chosen),
            "MUTANT_MEMORY": str(memory),
            "MUTANT_RECORD": str(record),
        },
    )
    shared_world.configure(shared_world.configuration)
    yield chosen
    records = Path(os.environ["MUTANT_RECORDS"], name_of(os.environ["MUTANT_MODE"], chosen))
    records.write_text(node.run(["cat", str(record)], check=False).stdout)


def _files() -> Files:
    """The wrappers, and a Python with all that they import."""
    imported = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {wrapper.__name__}, tests.mutants"
    )
    files, binaries = packed.python(_PYTHON, imported)
    script = _PYTHON / packing.PYTHON / Path(wrapper.__file__).relative_to(ROOT)
    found = {_LIBRARIES / name.name: file for name, file in packing.libraries(binaries)}
    loader = next(name for name in found if name.name.startswith("ld-"))
    python = [loader, "--library-path", _LIBRARIES, _PYTHON / "bin/python3", "-I", "-S", script]
    programs = {
        _PROGRAMS / tool: as_program(f"/usr/sbin/{tool}", list(map(str, python))).encode()
        for tool in TOOLS[os.environ["MUTANT_MODE"]]
    }
    return {**files, **found, **programs, script: Path(wrapper.__file__)}
