"""The Docker of kind clusters: which one is used, how one of the suite's own comes and goes, and
what is removed that a killed run left.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socketserver
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clusters import sandbox
from clusters.build.toolchain import ArtifactError, cache_folder
from clusters.kind import command
from clusters.kind.cluster.configuration import MARK
from clusters.kind.docker import cgroups, engine, limits, private
from clusters.kind.docker.engine import Engine
from clusters.kind.image import build as image
from clusters.kind.image import programs as image_programs
from tests.conftest import ROOT, outside
from tests.processes import alive, descendants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Program = Callable[[str, str], Path]

REAL_CACHE = cache_folder()

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may judge kind clusters")
needs_docker = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("dockerd"),
    reason="a Docker of one's own needs root and dockerd",
)


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, an environment that names no Docker, and no engine in the usual places."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOCACHE", os.environ.get("GOCACHE", str(REAL_CACHE.with_name("go-build"))))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(engine, "_USUAL", (tmp_path / "usual.sock",))
    # What a test sets is to be gone after it.
    monkeypatch.setenv(sandbox.KEEP, "")
    return tmp_path


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Put shell scripts first on PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def write(name: str, script: str) -> Path:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
        return folder / name

    return write


@contextlib.contextmanager
def listening(path: Path, answer: bytes = b"HTTP/1.0 200 OK\r\n\r\nOK") -> Iterator[None]:
    """Something that answers like an engine at a Unix socket."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if self.request.recv(1024).startswith(b"GET /_ping"):
                self.request.sendall(answer)

    with socketserver.UnixStreamServer(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            path.unlink()


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
        engine.choose()


def test_the_sandbox_is_told_which_engine_is_chosen(
    machine: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("docker", "dockerd", "containerd", "runc", "iptables"):
        program(name, "exit 1")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(image_programs, "ensure", Path)
    with listening(machine / "usual.sock"):
        assert not engine.choose()
    assert os.environ[sandbox.KEEP] == str(machine / "usual.sock")
    with engine.chosen() as docker:
        assert (docker.host, docker.own) == (f"unix://{sandbox.KEPT_SOCKET}", False)
        assert docker.proc == sandbox.KEPT_PROCESSES
    assert engine.choose()
    assert os.environ[sandbox.KEEP] == sandbox.CGROUPS


def test_what_a_docker_of_the_suites_own_lacks_is_named(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = program("docker", "exit 1").parent
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(ArtifactError, match=r"needs dockerd, .*: start yours, or apt-get install"):
        engine.choose()


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
from clusters.kind import archive, engine, image_programs
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

with engine.chosen() as docker:
    place = pathlib.Path(os.environ["TMPDIR"], "image.tar")
    files = {pathlib.Path("/pause"): image_programs.ensure("pause")}
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
