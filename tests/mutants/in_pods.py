"""A pytest plugin that has each test on kind run with mutants of kube-proxy.

One cluster serves all mutants: kube-proxy is started anew with each, on a node that bears nothing
of the one before. The wrappers that stand first on its PATH come through the folder of the suite's
that its pod sees, and so does the Python that runs them: its image has none.

The environment holds MUTANT_MODE, MUTANTS (names, comma-separated) and MUTANT_RECORDS (a folder
with a file for each, for what came of it).
"""

from __future__ import annotations

import base64
import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clusters.build import packing
from clusters.kind.image import archive
from tests.clusters import packed
from tests.conftest import ROOT
from tests.mutants import shared
from tests.mutants.between import tools
from tests.mutants.run import TOOLS, as_program
from tests.mutants.shared import ON_KIND, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clusters.kind.image.archive import Files
    from fixtures.world.world import World
    from tests.mutants.mutant import Mutant

_PROGRAMS, _LIBRARIES, _PYTHON = ON_KIND / "bin", ON_KIND / "lib", ON_KIND / "python"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with each mutant that its requirement is to kill, and with none: a census, which
    many tests look at, is taken again with each, and sequences are played again.
    """
    shared.parametrize(metafunc, "session", "taken", "wide", "played")


@pytest.fixture(scope="session")
def wrapped(shared_world: World) -> None:
    """Put onto the node what wrappers need."""
    archived = io.BytesIO()
    archive._write_layer(archived, _files())
    text = base64.b64encode(archived.getvalue()).decode()
    shared_world.node.run(["sh", "-c", "base64 -d | tar -x --no-overwrite-dir -C /"], input=text)


@pytest.fixture(scope="session", autouse=True)
def mutant(request: pytest.FixtureRequest, shared_world: World, wrapped: None) -> Iterator[Mutant]:
    """The mutant that the test runs with."""
    chosen: Mutant = request.param
    node, proxy = shared_world.node, shared_world.node.proxy
    memory = ON_KIND / "memory" / chosen.name
    record = memory / "record"
    node.run(["mkdir", "-p", str(memory)])
    proxy.stop()
    node.run(["rm", "-f", str(ON_KIND / "settings")])
    proxy.cleanup()
    settings = {
        "MUTANT": name_of(os.environ["MUTANT_MODE"], chosen),
        "MUTANT_MEMORY": str(memory),
        "MUTANT_RECORD": str(record),
    }
    node.write(ON_KIND / "settings", json.dumps(settings))
    shared_world.configure(shared_world.configuration)
    yield chosen
    records = Path(os.environ["MUTANT_RECORDS"], name_of(os.environ["MUTANT_MODE"], chosen))
    records.write_text(node.run(["cat", str(record)], check=False).stdout)


def _files() -> Files:
    """The wrappers, and a Python with all that they import."""
    imported = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {tools.__name__}, tests.mutants"
    )
    files, binaries = packed.python(_PYTHON, imported)
    script = _PYTHON / packing.PYTHON / Path(tools.__file__).relative_to(ROOT)
    found = {_LIBRARIES / name.name: file for name, file in packing.libraries(binaries)}
    loader = next(name for name in found if name.name.startswith("ld-"))
    python = [loader, "--library-path", _LIBRARIES, _PYTHON / "bin/python3", "-I", "-S", script]
    programs = {
        _PROGRAMS / tool: as_program(f"/usr/sbin/{tool}", list(map(str, python))).encode()
        for tool in TOOLS[os.environ["MUTANT_MODE"]]
    }
    return {**files, **found, **programs, script: Path(tools.__file__)}
