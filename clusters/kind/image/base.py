"""The Debian system that a node image is made from."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from clusters.build.cache import cache_folder, digest
from clusters.build.progress import Progress, watch
from clusters.sandbox import die_with_parent
from specification.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

SUITE = "bookworm"
"""The release of Debian; systemd of the next one refuses machines with cgroups of version 1."""

PACKAGES = (
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "ethtool",
    "ipset",
    "iproute2",
    "iptables",
    "kmod",
    "libseccomp2",
    "mount",
    "nftables",
    "procps",
    "runc",
    "systemd",
    "util-linux",
)
"""What a node needs beside a shell, and what the image of kube-proxy is taken from."""

NEEDED = {
    "debootstrap": "debootstrap",
    "unshare": "util-linux",
    "chroot": "coreutils",
    "tar": "tar",
}
"""Programs of this machine that build a node image, with Debian's package."""

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
"""Debian's keys, without which packages would be installed that nobody vouches for."""

_SUPERFLUOUS = (
    "usr/share/doc",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/man",
    "usr/lib/udev",
    "var/cache/apt",
    "var/lib/apt/lists",
)
_RECIPE = "1"
"""Part of the name in the cache: another way of building must not find what an older way built."""


def location() -> Path:
    """Where the archive of the system is, or will be once made."""
    described = json.dumps([_RECIPE, os.uname().machine, SUITE, PACKAGES, _SUPERFLUOUS])
    return cache_folder() / "kind" / f"base-{digest(described)}.tar"


def ensure(work: Path, progress: TextIO | None = None) -> Path:
    """Make the archive, in the folder ``work``, unless it is in the cache; where it is.

    Raises ArtifactError where it cannot be made.
    """
    path = location()
    if not path.exists():
        _make(path, work, progress)
    return path


def run(argv: Sequence[str], what: str, step: Progress | None = None) -> None:
    """Run a program in mount and process namespaces of its own, so that nothing that it mounts or
    starts outlives it.

    Raises ArtifactError, that ``what`` failed, with the last line it printed.
    """
    apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--", *argv]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            apart,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent,  # noqa: PLW1509  # one prctl call, and no thread runs
        )
        watch(process, process.kill, step)
        if process.returncode:
            said.seek(0)
            last = said.read().strip().rpartition("\n")[2].strip() or "it said nothing"
            raise ArtifactError(f"{what} failed: {last}")


def _make(path: Path, work: Path, progress: TextIO | None) -> None:
    with Progress(f"installing Debian {SUITE} for nodes (once)", progress) as step:
        root, whole = work / "base", work / "base.tar"
        argv = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
        argv += ["--force-check-gpg", f"--keyring={KEYRING}"]
        run([*argv, SUITE, str(root)], "debootstrap", step)
        for superfluous in _SUPERFLUOUS:
            shutil.rmtree(root / superfluous, ignore_errors=True)
        run(["tar", "-C", str(root), "--numeric-owner", "-cf", str(whole), "."], "tar", step)
        whole.replace(path)
        shutil.rmtree(root)
