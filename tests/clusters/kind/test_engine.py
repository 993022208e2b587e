"""Which Docker kind clusters are made with."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clusters import sandbox
from clusters.kind.docker import choice, engine, limits
from clusters.kind.docker.engine import Engine
from clusters.kind.image import programs as image_programs
from specification.errors import ArtifactError
from tests.clusters.kind.answering import listening

if TYPE_CHECKING:
    from collections.abc import Callable

    Program = Callable[[str, str], Path]

pytestmark = pytest.mark.usefixtures("machine")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may judge kind clusters")
needs_docker = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("dockerd"),
    reason="a Docker of one's own needs root and dockerd",
)


# --- the user's -----------------------------------------------------------------------------------


def test_the_engine_that_the_environment_names_is_taken(
    machine: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("docker", f"echo unix://{machine}/context.sock")
    with (
        listening(machine / "named.sock"),
        listening(machine / "context.sock"),
        listening(machine / "usual.sock"),
    ):
        assert engine.find() == str(machine / "context.sock")
        monkeypatch.setenv("DOCKER_HOST", f"unix://{machine}/named.sock")
        assert engine.find() == str(machine / "named.sock")
    monkeypatch.delenv("DOCKER_HOST")
    with listening(machine / "usual.sock"):
        assert engine.find() == str(machine / "usual.sock"), "the context's does not run"


def test_without_an_engine_there_is_none(machine: Path, program: Program) -> None:
    program("docker", "exit 1")
    assert engine.find() is None
    (machine / "usual.sock").touch()
    assert engine.find() is None
    (machine / "usual.sock").unlink()
    with listening(machine / "usual.sock", b"HTTP/1.0 500 Internal Server Error\r\n\r\n"):
        assert engine.find() is None


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("unix:///none", "nothing answers at unix:///none, which DOCKER_HOST names: start it"),
        ("tcp://192.0.2.1:2375", "joined on this machine, so its Docker is needed; unset"),
    ],
)
def test_an_engine_that_is_named_is_not_passed_over(
    named: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", named)
    with pytest.raises(ArtifactError, match=says) as raised:
        engine.find()
    assert "\n" not in str(raised.value)


def test_docker_is_asked_at_the_engines_address(program: Program) -> None:
    program("docker", 'echo "$DOCKER_HOST: $*"; cat')
    done = Engine("unix:///some.sock", Path("/proc")).docker("exec", "-i", "node", input="text")
    assert done.stdout == "unix:///some.sock: exec -i node\ntext"


def test_a_docker_that_fails_is_one_line(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = Engine("unix:///some.sock", Path("/proc"))
    program("docker", "echo first >&2; echo last >&2; exit 1")
    assert docker.docker("ps", check=False).returncode == 1
    assert not docker.holds("image")
    with pytest.raises(ArtifactError, match=r"^docker ps failed: last$"):
        docker.docker("ps")
    program("docker", "exec sleep 5")
    with pytest.raises(ArtifactError, match=r"^docker ps gave no answer in 0 s: is unix:///some"):
        docker.docker("ps", timeout=0.1)
    monkeypatch.setenv("PATH", "/none")
    with pytest.raises(ArtifactError, match=r"^there is no docker command: apt-get install"):
        docker.docker("ps")


# --- the choice -----------------------------------------------------------------------------------


def test_kind_clusters_need_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ArtifactError, match="run this as root"):
        choice.choose()


def test_the_sandbox_is_told_which_engine_is_chosen(
    machine: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("docker", "dockerd", "containerd", "runc", "iptables"):
        program(name, "exit 1")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(image_programs, "ensure", Path)
    with listening(machine / "usual.sock"):
        assert not choice.choose()
    assert os.environ[sandbox.KEEP] == str(machine / "usual.sock")
    with choice.chosen() as docker:
        assert (docker.host, docker.own) == (f"unix://{sandbox.KEPT_SOCKET}", False)
        assert docker.proc == sandbox.KEPT_PROCESSES
    assert choice.choose()
    assert os.environ[sandbox.KEEP] == sandbox.CGROUPS


def test_what_a_docker_of_the_suites_own_lacks_is_named(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = program("docker", "exit 1").parent
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(ArtifactError, match=r"needs dockerd, .*: start yours, or apt-get install"):
        choice.choose()


def test_clusters_for_which_the_machine_has_no_room_are_refused(tmp_path: Path) -> None:
    limits.check(0)
    with pytest.raises(ArtifactError, match=r"9999 kind clusters take .* or sysctl fs\.inotify"):
        limits.check(9999)
    folder = tmp_path / "proc/1/fd"
    folder.mkdir(parents=True)
    for number, target in enumerate(("anon_inode:inotify", "/dev/null", "anon_inode:inotify")):
        (folder / str(number)).symlink_to(target)
    (tmp_path / "proc/2").mkdir()
    assert limits._used(tmp_path / "proc") == 2
