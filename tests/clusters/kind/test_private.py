"""The Docker of the suite's own: how it comes and goes in the sandbox."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clusters import sandbox
from clusters.kind.docker import cgroups, private
from specification.errors import ArtifactError
from tests.clusters.kind.answering import listening
from tests.conftest import ROOT, outside
from tests.processes import alive, descendants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Program = Callable[[str, str], Path]

pytestmark = pytest.mark.usefixtures("machine")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may judge kind clusters")
needs_docker = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("dockerd"),
    reason="a Docker of one's own needs root and dockerd",
)


# --- the sandbox ----------------------------------------------------------------------------------


def in_sandbox(*argv: str, keep: str) -> str:
    """What a command prints in a sandbox of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "clusters.sandbox", *argv],
        cwd=ROOT,
        env=outside() | {sandbox.KEEP: keep},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


@root_only
def test_a_sandbox_keeps_the_socket_and_the_processes_that_it_is_told_to(machine: Path) -> None:
    script = (
        f"import socket; s = socket.socket(socket.AF_UNIX); s.connect('{sandbox.KEPT_SOCKET}');"
        f"s.sendall(b'GET /_ping'); print(s.recv(99).decode().split()[1]);"
        f"import os; print(os.readlink('{sandbox.KEPT_PROCESSES}/{os.getpid()}/ns/pid'))"
    )
    with listening(machine / "docker.sock"):
        said = in_sandbox(sys.executable, "-c", script, keep=str(machine / "docker.sock"))
    assert said.split() == ["200", str(Path("/proc/self/ns/pid").readlink())]


@root_only
def test_a_sandbox_keeps_cgroups_where_it_is_told_to() -> None:
    mount = ["sh", "-ec", "mount -t tmpfs none /sys/fs/cgroup; mkdir /sys/fs/cgroup/seen; exec"]
    for keep, seen in ((sandbox.CGROUPS, "seen\n"), ("", "")):
        script = f'{mount[-1]} "$@"'
        look = [sys.executable, "-m", "clusters.sandbox", "ls", "/sys/fs/cgroup"]
        done = subprocess.run(
            ["unshare", "--mount", *mount[:-1], script, "sh", *look],
            cwd=ROOT,
            env=outside() | {sandbox.KEEP: keep},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert done.stdout == seen


# --- the suite's own ------------------------------------------------------------------------------

LIVE = """
import os, pathlib, re, subprocess, sys, time
from clusters.kind.docker import choice
from clusters.kind.image import archive, programs
from clusters.process import LocalProcess

# The sandbox that tests run in has no cgroups.
root = pathlib.Path("/sys/fs/cgroup")
hierarchies = [line.split(":")[1] for line in open("/proc/self/cgroup") if line[0] != "0"]
kind = ["tmpfs"] if hierarchies else ["cgroup2"]
subprocess.run(["mount", "-t", *kind, "none", root], check=True)
for name in hierarchies:
    place = root / name.removeprefix("name=")
    place.mkdir()
    option = f"none,{name}" if "=" in name else name
    subprocess.run(["mount", "-t", "cgroup", "-o", option, "none", place], check=True)

with choice.chosen() as docker:
    place = pathlib.Path(os.environ["TMPDIR"], "image.tar")
    files = {pathlib.Path("/pause"): programs.ensure("pause")}
    archive.write(place, ["a.invalid/pause:1"], files, ["/pause"])
    before = docker.docker("ps", "--all", "--quiet").stdout.split()
    docker.docker("load", "--input", str(place))
    run = ["run", "--detach", "--privileged", "--cgroupns=private", "--network=none"]
    container = docker.docker(*run, "--volume=/data", "a.invalid/pause:1").stdout.strip()
    pid = docker.docker("inspect", "--format", "{{.State.Pid}}", container).stdout.strip()
    groups = pathlib.Path("/proc", pid, "cgroup").read_text()
    names = re.findall(r":/kube-proxy-conformance-[0-9a-f]+/([^/]+)/", groups)
    print(len(before), sorted(set(names)))
    print((docker.proc / pid / "comm").read_text().strip(), flush=True)
    if "hold" in sys.argv:
        time.sleep(600)
"""


@contextlib.contextmanager
def live(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A sandbox with a Docker of the suite's own in it, on which a container runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "clusters.sandbox", sys.executable, "-c", LIVE, *arguments],
        cwd=ROOT,
        env=outside() | {sandbox.KEEP: sandbox.CGROUPS},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str], lines: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(lines)]


@needs_docker
def test_a_docker_of_the_suites_own_leaves_nothing_but_its_images() -> None:
    keys = list(Path("/etc/docker").glob("*"))
    with live() as process:
        assert said(process, 2) == ["0 ['docker']", "pause"]
        assert process.wait(60) == 0
    assert list(Path("/etc/docker").glob("*")) == keys, "it makes no key on the machine"
    assert private.roots() == [private.root("docker")]
    assert not private.left("docker")
    assert not list((private.root("docker") / "volumes").glob("*/_data"))


@needs_docker
def test_a_run_that_is_killed_does_not_keep_the_next_one_from_its_docker() -> None:
    with live("hold") as first:
        assert said(first, 2) == ["0 ['docker']", "pause"]
        with live() as second:
            assert said(second, 2) == ["0 ['docker-2']", "pause"]
            assert second.wait(60) == 0
        assert private.roots() == [private.root("docker")], "the second one's data are gone"
        processes = descendants(first.pid)
        first.send_signal(signal.SIGKILL)
        first.wait(10)
        deadline = threading.Event()
        while any(map(alive, processes)):
            deadline.wait(0.01)
    assert private.left("docker")
    with live() as third:
        assert said(third, 2) == ["0 ['docker']", "pause"]
        assert third.wait(60) == 0
    assert not private.left("docker")


@needs_docker
def test_a_docker_that_does_not_start_says_why(program: Program) -> None:
    program("dockerd", "echo 'level=fatal msg=\"no room left\"'; exit 1")
    with (
        pytest.raises(ArtifactError, match=r"^no Docker of the suite's own: .*no room left"),
        private.private(),
    ):
        pass


@pytest.mark.parametrize("name", ["docker", "docker-2"])
def test_a_private_docker_is_one_processs_alone(name: str, machine: Path) -> None:
    with private.claimed(name) as first, private.claimed(name) as second:
        assert (first, second) == (True, False)
    with private.claimed(name) as again:
        assert again
    with private.claimed("docker"), contextlib.ExitStack() as stack:
        assert private._claim(stack) == "docker-2"
        with contextlib.ExitStack() as other:
            assert private._claim(other) == "docker-3"


def test_cgroups_are_removed_where_nothing_runs_in_them(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroups, "ROOT", machine)
    for folder in ("cpu", "memory"):
        (machine / folder / cgroups.PARENT / "docker/container/kubelet").mkdir(parents=True)
    (machine / "cpu" / cgroups.PARENT / "docker-2").mkdir()
    (machine / "cpu/other").mkdir()
    assert cgroups.names() == {"docker", "docker-2"}
    assert cgroups.remove("docker") == 6
    assert cgroups.names() == {"docker-2"}
    assert (machine / "cpu/other").exists()
    assert not (machine / "memory" / cgroups.PARENT).exists()
