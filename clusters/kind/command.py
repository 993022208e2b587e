"""What ``./conform kind-image`` and ``./conform clean`` do, and what comes before a run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from clusters import sandbox
from clusters.kind.docker import choice, tidy
from clusters.kind.docker.engine import Engine
from clusters.kind.image import build as image
from specification.errors import ArtifactError

_ROOT = Path(__file__).resolve().parents[2]


def prepare(clusters: int, *, named: bool) -> None:
    """Outside the sandbox, choose a Docker for so many clusters, and have everything there that
    registries are asked for; a node image only where none is ``named`` and Docker is the suite's.

    Raises ArtifactError with one line that says what is missing.
    """
    own = choice.choose(clusters)
    image.kind()
    if own and not named:
        image.build()


def make_image() -> int:
    """Build the node image into the Docker that runs here, else into the suite's own, and print its
    tag.

    Raises ArtifactError with one line where that fails.
    """
    print(
        "conform: kind-image needs root. It installs Debian packages into a folder of the cache,"
        " builds Kubernetes from its Go modules (cold some 15 minutes on two cores), and gives the"
        " image to Docker.",
        file=sys.stderr,
    )
    own = choice.choose()
    image.build()
    if own:
        print("conform: no Docker runs here, so it goes to the suite's own", file=sys.stderr)
        os.chdir(_ROOT)
        sandbox.enter([sys.executable, "-m", __name__])
    print(image.ensure(Engine(f"unix://{os.environ[sandbox.KEEP]}", Path("/proc"))))
    return 0


def clean() -> int:
    """Remove what runs with kind left, and say what.

    Raises ArtifactError with one line where that fails.
    """
    print(*tidy.clean(), sep="\n")
    return 0


def main() -> int:
    """Give the image to the suite's own Docker: this is the part inside the sandbox."""
    try:
        with choice.chosen() as docker:
            print(image.ensure(docker))
    except ArtifactError as problem:
        print(f"conform: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
