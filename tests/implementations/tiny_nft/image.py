#!/usr/bin/env python3
"""Prints an image of tiny-nft as ``docker save`` does, with this machine's Python and nft."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2]))

from clusters.build import packing  # noqa: E402  (it is there only now)
from clusters.kind.image import archive  # noqa: E402
from tests.clusters import packed  # noqa: E402

NAME = "tiny-nft.invalid/tiny-nft:v0.1"
PROGRAM = Path("/usr/local/bin/tiny_nft.py")


def main() -> None:
    """Write the image to the standard output."""
    nft = Path(str(shutil.which("nft"))).resolve()
    imported = f"import runpy; runpy.run_path({str(HERE / PROGRAM.name)!r})"
    python, binaries = packed.python(Path("/usr"), imported)
    files = {
        **python,
        **dict(packing.libraries([*binaries, nft])),
        PROGRAM: HERE / PROGRAM.name,
        Path("/usr/bin/env"): Path("/usr/bin/env"),
        Path("/usr/sbin/nft"): nft,
    }
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "image.tar")
        archive.write(image, [NAME], files, [str(PROGRAM)])
        with image.open("rb") as stream:
            shutil.copyfileobj(stream, sys.stdout.buffer)


if __name__ == "__main__":
    main()
