"""The command line, the doctor, and the shell script that comes before both."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clusters.build import artifacts
from clusters.vm import accelerator, kernel
from launch import doctor, launcher, trials
from launch.doctor import Check
from launch.invocation import SOAK
from specification.errors import UsageError
from tests.conftest import outside

ROOT = Path(__file__).parents[2]


def conform(
    *arguments: str, path: str | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run ./conform with nothing on standard input."""
    return subprocess.run(
        [ROOT / "conform", *arguments],
        env={**os.environ, **env, **({"PATH": path} if path else {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def bare(tmp_path: Path) -> str:
    """A PATH with little more than a shell's own tools: no apt-get, sudo or conntrack."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "dirname", "id", "mkdir", "rm", "touch", "uname"):
        (tools / name).symlink_to(shutil.which(name) or name)
    (tools / "python3").symlink_to(sys.executable)
    return str(tools)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of two cores that can run iptables mode alone."""
    why = {"iptables": "", "nftables": "nft: not found", "ipvs": "IP_VS: not in this kernel"}
    monkeypatch.setattr(doctor, "modes", lambda: why)
    monkeypatch.setattr(launcher, "workers", lambda: 2)


@pytest.mark.parametrize("arguments", [["--help"], ["-h"]])
def test_help_needs_nothing_installed(arguments: list[str], bare: str) -> None:
    done = conform(*arguments, path=bare)
    assert done.returncode == 0
    for word in (
        "selftest",
        "doctor",
        "--modes",
        "--proxy-version",
        "exit codes",
        "results/latest",
    ):
        assert word in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_missing_packages_are_named_where_there_is_no_apt(bare: str, tmp_path: Path) -> None:
    done = conform(path=bare, HOME=str(tmp_path))
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert first.startswith("conform: these system packages are missing:")
    assert "util-linux" in first
    assert second.startswith("conform: install what this system calls Debian's")
    assert done.stdout == ""


def test_an_ordinary_user_without_sudo_gets_the_line_to_have_run(bare: str, tmp_path: Path) -> None:
    for name, script in {"apt-get": "touch called", "id": "echo 1000"}.items():
        tool = Path(bare) / name
        tool.unlink(missing_ok=True)
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)
    done = conform(path=bare, HOME=str(tmp_path))
    assert done.returncode == 2
    line = done.stderr.splitlines()[-1]
    assert "as root" in line
    assert "apt-get update && apt-get install -y --no-install-recommends" in line
    assert "util-linux" in line
    assert not Path("called").exists()


def test_the_doctor_reports_what_is_missing_instead_of_installing_it(
    bare: str, tmp_path: Path
) -> None:
    done = conform("doctor", path=bare, HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == 2
    assert "NO  unshare" in done.stdout
    assert "package util-linux" in done.stdout
    assert done.stderr == ""


@pytest.mark.usefixtures("machine")
def test_modes_that_cannot_run_are_left_out_with_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    options = launcher.pytest_options(["-k", "affinity or cip", "-x"], command="conform")
    assert options == ["--modes", "iptables", "-k", "affinity or cip", "-n", "2", "-x"]
    assert capsys.readouterr().err == (
        "conform: not in nftables mode: nft: not found\n"
        "conform: not in ipvs mode: IP_VS: not in this kernel\n"
    )


@pytest.mark.usefixtures("machine")
def test_modes_that_were_asked_for_are_not_second_guessed() -> None:
    options = launcher.pytest_options(["--modes=nftables", "-n4"], command="conform")
    assert options == ["--modes", "nftables", "-n", "4"]
    assert "--modes" not in launcher.pytest_options([], command="selftest")


def test_a_machine_that_can_run_nothing_gets_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "modes", lambda: {"iptables": "ip: not found", "nftables": "old"})
    with pytest.raises(UsageError, match=r"can run no mode \(iptables: ip:"):
        launcher.pytest_options([], command="conform")


@pytest.mark.usefixtures("machine")
def test_paths_mean_what_they_mean_to_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("kube-proxy", "mine.toml", "test_x.py"):
        (tmp_path / name).touch()
    options = launcher.pytest_options(
        ["--proxy-binary", "kube-proxy", "--results=out", "test_x.py::test_y"], command="conform"
    )
    assert options[2:6] == [
        "--proxy-binary",
        f"{tmp_path}/kube-proxy",
        "--results",
        f"{tmp_path}/out",
    ]
    assert options[-1] == f"{tmp_path}/test_x.py::test_y"
    options = launcher.pytest_options(["--implementation", "mine.toml"], command="conform")
    assert options == ["--implementation", f"{tmp_path}/mine.toml", "-n", "2"]


@pytest.mark.usefixtures("machine")
def test_a_soak_is_told_how_long_and_what() -> None:
    options = launcher.pytest_options(["--modes=nftables"], command="soak")
    assert options == ["--modes", "nftables", "-n", "2", "--hours", "1.0", SOAK]
    options = launcher.pytest_options(["--modes=nftables", "--hours=2.5"], command="soak")
    assert options[-3:] == ["--hours", "2.5", SOAK]


@pytest.mark.usefixtures("machine")
def test_a_cluster_to_look_into_wants_one_process() -> None:
    assert launcher.pytest_options(["--keep"], command="selftest") == ["-n", "0", "--keep"]


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--proxy-binary", "a", "--proxy-version", "1.34.4"], "give one of them"),
        (["--modes"], "--modes: expected one argument"),
        (["benhc"], "there is no command, file or folder benhc; did you mean bench?"),
        (["conformance/nope.py"], "there is no command, file or folder conformance/nope.py ("),
    ],
)
def test_bad_options_are_one_line(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["launcher", *arguments])
    assert launcher.main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("conform: ")
    assert message in line


@pytest.mark.parametrize(("command", "fetched"), [("selftest", 1), ("conform", 0)])
def test_tests_that_boot_machines_find_their_kernel(
    command: str, fetched: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels: list[object] = []
    monkeypatch.setattr(accelerator, "program", lambda: "qemu")
    monkeypatch.setattr(kernel, "packaged", lambda **_: kernels.append("fetched"))
    monkeypatch.setattr(artifacts, "ensure", list)
    monkeypatch.setattr(launcher, "pytest_options", lambda *_, **__: [])
    monkeypatch.setattr(launcher, "_prepare", Path)
    monkeypatch.setattr(launcher, "delegate", lambda _: len(kernels))
    assert launcher._run(command, []) == fetched


@pytest.mark.parametrize(("code", "result"), [(0, 0), (1, 1), (2, 2), (5, 2), (254, 2)])
def test_exit_codes_are_those_of_the_help(code: int, result: int) -> None:
    assert launcher.delegate([sys.executable, "-c", f"raise SystemExit({code})"]) == result


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interrupted_run_ends_in_order_and_has_no_verdict(number: str, tmp_path: Path) -> None:
    """Whoever signals this process alone: what it runs is told, once, and has its time."""
    script = f"""
import os, pathlib, signal, time
def end(*_):
    time.sleep(0.2)
    pathlib.Path({str(tmp_path / "told")!r}).open("a").write("once")
    raise SystemExit(0)
signal.signal(signal.SIGTERM, end)
os.kill(os.getppid(), signal.{number})
time.sleep(60)
"""
    assert launcher.delegate([sys.executable, "-c", script]) == 2
    assert (tmp_path / "told").read_text() == "once"


def test_nothing_is_said_after_the_line_that_says_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if name not in outside()]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(launcher, "_prepare", lambda _: Path(sys.prefix))
    monkeypatch.setattr(sys, "argv", ["launcher", "--modes", "ebpf"])
    assert launcher.main() == 2
    out, err = capfd.readouterr()
    (line,) = (out + err).splitlines()
    assert line.startswith("error: kube-proxy has no mode 'ebpf'")


def test_what_a_shell_has_started_in_the_background_can_be_ended() -> None:
    """Such a shell has it ignore SIGINT, as which the sandbox passes on that it is to end."""
    program = (
        "import time\ntry: print('here', flush=True); time.sleep(60)\n"
        "except KeyboardInterrupt: raise SystemExit(7)"
    )
    started = subprocess.Popen(
        [sys.executable, "-m", "clusters.sandbox", sys.executable, "-c", program],
        cwd=ROOT,
        env=outside(),
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # noqa: PLW1509
    )
    with started:
        assert started.stdout is not None
        assert started.stdout.readline() == "here\n"
        started.terminate()
        try:
            assert started.wait(timeout=30) == 7
        finally:
            started.kill()


def test_an_environment_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]")
    (tmp_path / "requirements.lock").write_text("one")
    folder = tmp_path / ".tox" / "conform"
    folder.mkdir(parents=True)
    ran: list[list[str]] = []

    def run(argv: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        ran.append(argv)
        return subprocess.CompletedProcess(argv, 0)

    monkeypatch.setattr(launcher, "ROOT", tmp_path)
    monkeypatch.setattr(subprocess, "run", run)
    assert [launcher._prepare("conform"), launcher._prepare("conform")] == [folder, folder]
    assert len(ran) == 1
    assert "--recreate" not in ran[0]
    (tmp_path / "pyproject.toml").write_text("[project]\nname='x'")
    launcher._prepare("conform")
    assert ran[1][-1] == "--recreate"


def test_trials_report_what_failed_and_what_never_ended() -> None:
    output = "@veth\n=0\n@IPv6\n\nsh: cannot create: Read-only\nmore\n=2\n@iptables\nhalf"
    assert trials.parse(output) == {"veth": "", "IPv6": "sh: cannot create: Read-only"}


def test_every_trial_ends_in_its_own_shell() -> None:
    done = subprocess.run(
        ["sh", "-n", "-c", trials.script()], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_modes_depend_on_what_they_need() -> None:
    found = [
        Check("nft", ok=False, detail="not found", modes=frozenset({"nftables"})),
        Check("cores", ok=False, detail="1", remedy="more are better"),
    ]
    why = doctor.modes(found)
    assert why["iptables"] == ""
    assert why["nftables"] == "nft: not found"
    assert not why["ipvs"]
    text = doctor.report(found)
    assert "  NO  nft" in text
    assert "  hm  cores" in text
    assert "more are better" in text
    assert "  yes iptables\n  no  nftables              nft: not found\n" in text


@pytest.mark.parametrize(
    ("release", "ok"), [("5.4.0-150-generic", False), ("5.13.0", True), ("6.1.0-21-amd64", True)]
)
def test_nftables_mode_needs_linux_5_13(release: str, ok: bool) -> None:
    assert doctor._kernel(release).ok is ok


def test_this_machine_can_run_what_it_is_running() -> None:
    why = doctor.modes()
    assert not (why["iptables"] and why["nftables"]), why
