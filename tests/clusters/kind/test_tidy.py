"""What a killed run left is removed, and nothing else; the commands that do so."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clusters.build.cache import cache_folder
from clusters.kind import command
from clusters.kind.cluster.configuration import MARK
from clusters.kind.docker import cgroups, private
from clusters.kind.image import build as image
from tests.clusters.kind.answering import listening
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Program = Callable[[str, str], Path]

pytestmark = pytest.mark.usefixtures("machine")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may judge kind clusters")
needs_docker = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("dockerd"),
    reason="a Docker of one's own needs root and dockerd",
)


# --- what a killed run left -----------------------------------------------------------------------

PS = r"""
echo "$*" >> "$CALLS"
case $1 in
    context) echo "unix://$SOCKET" ;;
    ps) case "$*" in *volume={mark}*) printf '%s' "$LISTED" ;; esac ;;
    inspect) for it; do :; done; eval "echo \$MARK_$it" ;;
esac
"""


@pytest.fixture
def docker(
    machine: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., list[str]]]:
    """A user's Docker that only pretends: given what it is to list, it returns a function that
    cleans up and returns the commands that were given to it.
    """
    program("docker", PS.format(mark=MARK))
    calls = machine / "calls"
    monkeypatch.setenv("CALLS", str(calls))
    monkeypatch.setenv("SOCKET", str(machine / "docker.sock"))
    monkeypatch.setattr(cgroups, "ROOT", machine / "cgroups")

    def clean(listed: str, **marks: Path) -> list[str]:
        monkeypatch.setenv("LISTED", listed)
        for container, mark in marks.items():
            monkeypatch.setenv(f"MARK_{container}", str(mark))
        assert command.clean() == 0
        return calls.read_text().splitlines()

    with listening(machine / "docker.sock"):
        yield clean


def test_only_clusters_of_the_suite_are_removed(
    docker: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    listed = "a\tkpc-1-nftables\nb\tkpc-1-nftables\nc\tmine\nd\t\n"
    calls = docker(listed, a=Path("/dev/null"))
    assert [call for call in calls if call.startswith("rm")] == ["rm --force --volumes a b"]
    assert all(f"volume={MARK}" in call for call in calls if call.startswith("ps"))
    assert capsys.readouterr().out == "removed kind cluster kpc-1-nftables (containers: 2)\n"


@pytest.mark.parametrize("usual", [True, False])
def test_clusters_of_a_run_that_is_alive_are_left_alone(
    usual: bool,
    machine: Path,
    docker: Callable[..., list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    lock = cache_folder() / "kind/runs/kpc-1-ipvs.lock" if usual else machine / "other.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    mark = Path("/dev/null") if usual else lock
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        calls = docker("a\tkpc-1-ipvs\n", a=mark)
    assert not [call for call in calls if call.startswith("rm")]
    assert capsys.readouterr().out == (
        "left alone: kind cluster kpc-1-ipvs, whose run is still alive\n"
        "there was nothing to remove\n"
    )
    calls = docker("a\tkpc-1-ipvs\n", a=mark)
    assert calls[-1] == "rm --force --volumes a"


def test_the_remains_of_killed_dockers_and_builds_are_removed(
    machine: Path, docker: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("docker", "docker-2", "docker-3"):
        (private.root(name) / "containers/one").mkdir(parents=True)
    (cache_folder() / "kind/unfinished").mkdir()
    (machine / "cgroups/cpu" / cgroups.PARENT / "docker-3").mkdir(parents=True)
    with private.claimed("docker-2"):
        docker("")
    assert private.roots() == [private.root("docker-2")]
    assert capsys.readouterr().out.splitlines() == [
        "removed containers and volumes of the suite's own Docker 'docker'",
        "removed containers and volumes of the suite's own Docker 'docker-3'",
        "removed 1 empty cgroups of the suite's own Docker 'docker-3'",
        "removed a node image that was not finished",
        "left alone: the suite's own Docker 'docker-2', whose run is still alive",
    ]
    assert not (machine / "cgroups/cpu" / cgroups.PARENT).exists()


def test_the_images_of_the_suites_own_docker_stay(docker: Callable[..., list[str]]) -> None:
    (private.root("docker") / "image").mkdir(parents=True)
    docker("")
    assert (private.root("docker") / "image").exists()


# --- the commands ---------------------------------------------------------------------------------


def test_a_node_image_is_for_the_docker_that_runs(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(image, "build", lambda: None)
    monkeypatch.setattr(image, "ensure", lambda docker: f"tag in {docker.host}")
    with listening(machine / "usual.sock"):
        assert command.make_image() == 0
    said = capsys.readouterr()
    assert said.out == f"tag in unix://{machine}/usual.sock\n"
    assert said.err.startswith("conform: kind-image needs root. It installs")


@pytest.mark.parametrize(
    ("arguments", "host", "says"),
    [
        (["clean"], "unix:///none", "nothing answers at unix:///none"),
        (["kind-image"], "unix:///none", "nothing answers at unix:///none"),
        (["clean", "--all"], "", "clean takes no arguments"),
    ],
)
def test_commands_that_cannot_be_done_are_one_line(
    arguments: list[str], host: str, says: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "launch.launcher", *arguments],
        cwd=ROOT,
        env=os.environ | {"DOCKER_HOST": host},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("conform: ")
    assert says in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("arguments", [["--provider", "kind"], ["--provider=kind"], ["kind-image"]])
@pytest.mark.parametrize("running", [True, False])
def test_packages_of_a_docker_are_wanted_where_none_runs(
    arguments: list[str], running: bool, machine: Path, program: Program
) -> None:
    tools = program("docker", "exit 1").parent
    if running:
        program("docker", "")
    else:
        (tools / "docker").unlink()
    for name in ("sh", "dirname", "id", "uname"):
        (tools / name).symlink_to(shutil.which(name) or name)
    (tools / "python3").symlink_to(sys.executable)

    def missing(*given: str) -> set[str]:
        # The script adds the folders of the system's programs to PATH.
        script = (ROOT / "conform").read_text().replace("PATH=$PATH:", "unused=")
        copy = machine / "conform"
        copy.write_text(script)
        done = subprocess.run(
            [tools / "sh", copy, *given],
            env={"PATH": str(tools), "HOME": str(machine)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        return set(done.stderr.splitlines()[0].partition(" missing:")[2].split())

    wanted = missing(*arguments)
    assert ("docker.io" in wanted) == (not running)
    assert ("debootstrap" in wanted) == (not running or arguments == ["kind-image"])
    assert missing("-k", "kind").isdisjoint({"docker.io", "debootstrap"})
