"""The program under test: found or built, and asked who it is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from clusters import implementation
from clusters.build import artifacts
from clusters.implementation import Implementation
from specification.errors import UsageError


@dataclass(frozen=True)
class Judged:
    """What is judged, as it says of itself; what comes with a kind cluster is named by its image:
    that of its pods or, where kubeadm deploys it, the node's.
    """

    name: str
    version: str
    sha256: str
    """Of the program or, where a manifest deploys it, of the image."""


def modes(chosen: Implementation, named: str) -> tuple[str, ...]:
    """The modes that a comma-separated text names, all for an empty one.

    Raises:
        UsageError: the implementation has no such mode.
    """
    wanted = dict.fromkeys(part for part in named.split(",") if part)
    for mode in wanted:
        if mode not in chosen.modes:
            raise UsageError(
                f"{chosen.name} has no mode {mode!r}: choose from"
                f" {', '.join(chosen.modes)} (--modes)"
            )
    return tuple(wanted or chosen.modes)


def check_tools(chosen: Implementation, mode: str) -> None:
    """Raise UsageError where this machine lacks a command that shows what a mode has programmed."""
    entry = chosen.modes[mode]
    for program in dict.fromkeys(command[0] for command in (entry.present, *entry.rules)):
        if not shutil.which(program):
            raise UsageError(
                f"{mode} mode needs {program}, which is not on PATH: ./conform installs it,"
                " ./conform doctor names its package"
            )


def check_privileges(chosen: Implementation) -> None:
    """Raise UsageError where what an implementation needs of the machine is lacking here."""
    if chosen.privileges != "none" and os.getuid() != 0:
        raise UsageError(f"{chosen.name} needs root: run the suite as root")
    if chosen.privileges == "bpf" and not Path("/sys/fs/bpf").is_dir():
        raise UsageError(
            f"{chosen.name} needs a kernel with BPF (CONFIG_BPF_SYSCALL): this has none"
        )


def locate(
    chosen: Implementation, binary: str = "", version: str = "", *, counting: bool = False
) -> Path:
    """The program: ``binary``, or ``version`` of it, or the one that its file says; it is built
    where that is missing, and where it is to be ``counting`` which of its code is reached.

    Raises:
        UsageError: it is missing or is no program, or there is none to build.
        ArtifactError: it could not be built.
    """
    if counting and (binary or chosen.binary or not chosen.artifact):
        raise UsageError(f"--coverage needs a proxy that this suite builds: {chosen.name} is none")
    if binary:
        program = Path(binary)
    elif chosen.binary:
        program = (chosen.path.parent / chosen.binary).resolve()
    elif not chosen.artifact:
        why = "is not built by this suite" if version else "names no binary"
        raise UsageError(f"{chosen.name} {why}: give one with --proxy-binary")
    elif version or counting:
        program = artifacts.proxy(version or artifacts.PINNED, counting=counting)
    else:
        program = artifacts.ensure([chosen.artifact])[chosen.artifact]
    if not program.is_file():
        raise UsageError(f"there is no binary {program}: check --proxy-binary")
    if not os.access(program, os.X_OK):
        raise UsageError(
            f"{program} is not a program that may be run: chmod +x it, or check --proxy-binary"
        )
    return program


def judged(chosen: Implementation, program: Path) -> Judged:
    """What the program says of itself.

    Raises:
        UsageError: it does not run, or says nothing that could be a version.
    """
    argv = implementation.fill(
        chosen.version, {"binary": str(program), "directory": str(chosen.path.parent)}
    )
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise UsageError(
            f"{program} is no {chosen.name}: it cannot be asked for its version ({problem})"
        ) from None
    pattern = re.compile(chosen.version_pattern)
    found = pattern.search(done.stdout) or pattern.search(done.stderr)
    if done.returncode or not found:
        said = (done.stdout + done.stderr).strip().partition("\n")[0][:100]
        raise UsageError(
            f"{program} is no {chosen.name}: asked for its version it said {said or 'nothing'!r}"
        )
    return Judged(program.name, found[1], artifacts.checksum(program))
