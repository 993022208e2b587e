"""What is to be run: which releases, each with the run of the suite that judges it."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from clusters import program
from clusters.build import artifacts
from clusters.implementation import Implementation, load
from clusters.vm import kernel
from launch.invocation import Run
from launch.launcher import from_root
from specification.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

MODES: Final = "iptables,nftables"
"""What is run where no mode is named: those that every release has and any machine runs."""

_VERSION = re.compile(r"v?\d+\.\d+\.\d+(-\w+\.\d+)?")
_PROVIDER: Final = Run().provider


@dataclass(frozen=True)
class Asked:
    """What the command line says: the releases, and what is asked of the run of each."""

    run: Run
    versions: tuple[str, ...]
    binaries: tuple[str, ...]
    shards: Literal["", "github", "job"] = ""
    """How other machines are to be told what is run on each of them."""
    image: str = ""
    """Of the pods of a Job."""
    shard: int | None = None
    """The only one to be run."""
    printed: bool = False
    """Whether its results are printed, too."""
    left: Path | None = None
    """The folder with what the shards have left."""
    prepared: bool = False
    """Whether everything is only to be had."""

    def seeded(self, commit: str) -> Asked:
        """The same with a seed: where none was asked for, the one that follows from the suite's
        commit; a random one where nobody knows that.
        """
        if self.run.seed is not None:
            return self
        follows = int.from_bytes(hashlib.sha256(commit.encode()).digest()[:4]) >> 1
        seed = follows if commit else secrets.randbelow(1 << 31)
        return dataclasses.replace(self, run=dataclasses.replace(self.run, seed=seed))


@dataclass(frozen=True)
class Release:
    """A release, and the run that judges it."""

    run: Run
    version: str
    """As its program says."""
    sha256: str

    @property
    def told(self) -> str:
        """What it is, in the words of progress and errors."""
        return f"{self.run.implementation.removesuffix('.toml').rpartition('/')[2]} {self.version}"


def parsed(arguments: Sequence[str], folder: Path, results: Path) -> Asked:
    """What words of a command line, given in ``folder``, ask for; runs are written to ``results``
    where they name no other folder.

    Raises UsageError.
    """
    parser = Run.parser(add_help=False, conflict_handler="resolve")
    parser.prog = "./conform releases"
    parser.add_argument("--proxy-binary", action="append", default=[], dest="binaries")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--shards", choices=("github", "job"), default="")
    instead.add_argument("--shard", type=int)
    instead.add_argument("--from", dest="left")
    instead.add_argument("--prepare", action="store_true")
    parser.add_argument("--image", default="")
    parser.add_argument("--print", action="store_true")
    found, words = parser.parse_known_args(arguments)
    run = Run.of(found).resolved(folder)
    _check(run)
    versions = [word.removeprefix("v") for word in words if _VERSION.fullmatch(word)]
    paths = tuple(_path(word, folder) for word in words if not _VERSION.fullmatch(word))
    binaries = tuple(str((folder / name).absolute()) for name in found.binaries)
    if not (versions or binaries):
        raise UsageError("name a release or two, such as 1.34.4 1.36.3 (./conform releases --help)")
    run = dataclasses.replace(
        run, modes=run.modes or MODES, file_or_dir=paths, results=run.results or str(results)
    )
    if (found.shards == "job") != bool(found.image):
        raise UsageError("--shards job and --image go together: its pods are of an image")
    if found.print and found.shard is None:
        raise UsageError("--print goes with --shard")
    left = None if found.left is None else folder / found.left
    if left and not left.is_dir():
        raise UsageError(f"--from {found.left} is no folder")
    return Asked(
        run,
        tuple(versions),
        binaries,
        shards=found.shards,
        image=found.image,
        shard=found.shard,
        printed=found.print,
        left=left,
        prepared=found.prepare,
    )


def _check(run: Run) -> None:
    if run.proxy_version:
        raise UsageError("--proxy-version names one release: name all of them without an option")
    if run.provider != _PROVIDER:
        raise UsageError(f"--provider {run.provider} brings its own proxy: name no release")
    if run.keep:
        raise UsageError("--keep stops at a failure, and releases are run to their ends")
    run.check()


def _path(word: str, folder: Path) -> str:
    """The path of tests that a word is, as a run is given and records it."""
    if word.startswith("-"):
        raise UsageError(f"there is no option {word} (./conform releases --help)")
    path = folder / word
    if not Path(str(path).partition("::")[0]).exists():
        raise UsageError(f"{word} is no version, such as 1.36.3, and no file or folder of tests")
    return from_root(path)


def located(asked: Asked) -> tuple[Release, ...]:
    """The releases in the order of the command line, binaries last, each with its program: those
    that are missing are built, before anything is run.

    Raises UsageError, ArtifactError: one of them cannot be had, or is another one again.
    """
    chosen = load(asked.run.implementation)
    asked_for = [
        *(dataclasses.replace(asked.run, proxy_version=version) for version in asked.versions),
        *(dataclasses.replace(asked.run, proxy_binary=binary) for binary in asked.binaries),
    ]
    found: dict[str, Release] = {}
    for run in asked_for:
        release = _release(chosen, run)
        if release.version in found:
            raise UsageError(f"{release.told} was given twice: give each release once")
        found[release.version] = release
    return tuple(found.values())


def _release(chosen: Implementation, run: Run) -> Release:
    program.modes(chosen, run.modes)
    judged = program.judged(chosen, program.locate(chosen, run.proxy_binary, run.proxy_version))
    return Release(run, judged.version, judged.sha256)


def prepare(asked: Asked) -> None:
    """Have everything that the runs of the releases need, and so nothing of a network.

    Raises UsageError, ArtifactError: something cannot be had.
    """
    located(asked)
    artifacts.ensure(["etcd", "kube-apiserver"])
    if asked.run.node == "vm" or "ipvs" in asked.run.modes:
        kernel.packaged(asked.run.kernel)
