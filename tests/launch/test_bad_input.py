"""Bad input and broken machines: one clear line, exit code 2, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from clusters.build import artifacts
from reports.model.run import read
from tests.conftest import ROOT, outside
from tests.processes import alive, descendants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CASE = "conformance/clusterip/test_delivery.py"

Run = "Callable[..., subprocess.CompletedProcess[str]]"


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a refused run prints."""
    assert done.returncode == 2, done.stdout + done.stderr
    lines = (done.stdout + done.stderr).strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--modes", "ebpf"], "error: kube-proxy has no mode 'ebpf': choose from iptables, nft"),
        (
            ["--implementation", "nope"],
            "error: there is no implementation nope: give one of cilium, hollow-proxy",
        ),
        (
            ["--implementation", "cilium", "--node", "vm"],
            "error: cilium has a hook program, which knows nodes of this kernel alone: leave out",
        ),
        (["--proxy-binary", "/nope"], "error: there is no binary /nope: check --proxy-binary"),
        (["--proxy-binary", "/bin/true"], "is no kube-proxy: asked for its version it said"),
        (["--proxy-binary", "README.md"], "is not a program that may be run: chmod +x it"),
        (["--proxy-version", "one"], "error: no version of kube-proxy: 'one'; write it in full"),
        (["--keep", "-n", "2"], "error: --keep needs a single process to stop in: give -n 0"),
        (["conformance/nope.py"], "error: there is no file or folder of tests conformance/nope.py"),
    ],
)
def test_bad_options_are_refused_in_one_line(run_suite: Any, options: list[str], said: str) -> None:
    assert said in one_line(run_suite("conformance", *options))


@pytest.mark.parametrize(
    ("workers", "words", "said"),
    [
        ("-n2", ["-k", "nothing-like-this"], "error: no test is selected by -k nothing-like-this:"),
        ("-n0", ["-k", "nftables and cip-tcp-dnat"], "error: no test is selected by -k 'nftables"),
        ("-n2", ["-k", "("], "error: Wrong expression passed to '-k'"),
        ("-n0", [f"{CASE}::test_nope"], f"error: not found: {ROOT}/{CASE}::test_nope"),
    ],
)
def test_a_run_of_nothing_is_refused_and_leaves_no_trace(
    run_suite: Any, tmp_path: Path, workers: str, words: list[str], said: str
) -> None:
    (tmp_path / "latest").symlink_to("an-earlier-run")
    run = ["--modes", "iptables", "--results", str(tmp_path), workers]
    assert said in one_line(run_suite(*(["conformance"] if words[0] == "-k" else []), *words, *run))
    assert [path.name for path in tmp_path.iterdir()] == ["latest"]
    assert (tmp_path / "latest").readlink() == Path("an-earlier-run")


@pytest.mark.parametrize("words", [["--markers"], ["--fixtures"], ["--setup-plan", "-qq", CASE]])
def test_what_only_shows_something_is_no_run(
    run_suite: Any, tmp_path: Path, words: list[str]
) -> None:
    """It would first build programs, which are not there, without a way to get them."""
    env = {"XDG_CACHE_HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}"}
    done = run_suite(*words, env=env)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "kube-proxy-conformance").exists()


def test_unknown_key_of_an_implementation(run_suite: Any, pretender: Path) -> None:
    pretender.write_text('colour = "red"\n' + pretender.read_text())
    line = one_line(run_suite("conformance", "--implementation", str(pretender)))
    assert "colour is unknown" in line
    assert "known are" in line


def test_unknown_feature_of_an_implementation(run_suite: Any, pretender: Path) -> None:
    pretender.write_text(pretender.read_text().replace('"bursts"', '"brusts"'))
    line = one_line(run_suite("conformance", "--implementation", str(pretender)))
    assert line.endswith("features: no feature is called 'brusts'; the nearest is 'bursts'")


@pytest.mark.parametrize(
    ("described", "options", "said"),
    [
        ("pretender", [], "nothing says how pretender gets onto kind nodes: give its file a table"),
        ("tiny_nft", ["--proxy-binary", "/bin/true"], "tiny-nft runs from an image on kind nodes"),
        ("tiny_nft", ["--proxy-version", "1.36.3"], "tiny-nft runs from an image on kind nodes"),
    ],
)
def test_what_cannot_get_onto_kind_nodes(
    run_suite: Any, pretender: Path, described: str, options: list[str], said: str
) -> None:
    tiny = ROOT / "tests/implementations/tiny_nft.toml"
    path = {"pretender": pretender, "tiny_nft": tiny}[described]
    line = one_line(
        run_suite("conformance", "--provider=kind", f"--implementation={path}", *options)
    )
    assert said in line


def test_missing_tool(run_suite: Any, pretender: Path) -> None:
    text = pretender.read_text().replace('present = ["true"]', 'present = ["nft-of-tomorrow"]')
    pretender.write_text(text)
    line = one_line(run_suite("conformance", "--implementation", str(pretender)))
    assert "first mode needs nft-of-tomorrow, which is not on PATH" in line


@pytest.fixture
def crippled(tmp_path: Path, pretender: Path) -> Callable[[str], Path]:
    """An implementation whose program does what a shell script says."""

    def make(script: str) -> Path:
        program = tmp_path / "pretender"
        program.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo v0.1 && exit\n{script}\n')
        text = pretender.read_text().replace(
            'ready = ""', 'ready = "http://{management_address}:1/healthz"\nready_timeout = 2'
        )
        pretender.write_text(text)
        return pretender

    return make


@pytest.mark.parametrize("workers", ["0", "2"])
def test_proxy_that_dies_at_start(
    run_suite: Any, crippled: Any, tmp_path: Path, workers: str
) -> None:
    described = crippled("echo the last words of the proxy; exit 3")
    done = run_suite(
        CASE, "--implementation", str(described), "--results", str(tmp_path), "-n", workers
    )
    assert done.returncode == 2
    assert "ended with exit code 3 before it was ready" in done.stdout
    assert "the last words of the proxy" in done.stdout
    assert done.stdout.count("the last words of the proxy") < 20  # the run has stopped at once
    assert read(tmp_path / "latest").verdict("first") == "error"


def test_proxy_that_never_gets_ready(run_suite: Any, crippled: Any, tmp_path: Path) -> None:
    described = crippled("echo waiting for better times; exec sleep 60")
    done = run_suite(CASE, "--implementation", str(described), "--results", str(tmp_path), "-n0")
    assert done.returncode == 2
    assert "was not ready after 2 s; the end of its log:" in done.stdout
    assert "waiting for better times" in done.stdout


@pytest.mark.parametrize("workers", [0, 2])
def test_a_mode_that_does_not_start_leaves_the_others_judged(
    run_suite: Any, tmp_path: Path, workers: int
) -> None:
    gated = tmp_path / "kube-proxy"
    gated.write_text(
        "#!/bin/sh\n"
        'case $1 in --config=*) grep -q \'"mode": "nftables"\' "${1#--config=}" &&'
        " { echo unknown mode nftables; exit 1; } ;; esac\n"
        f'exec {artifacts.ensure(["kube-proxy"])["kube-proxy"]} "$@"\n'
    )
    gated.chmod(0o755)
    words = ["--modes=nftables,iptables", f"--proxy-binary={gated}", f"--results={tmp_path}"]
    done = run_suite(CASE, *words, "-k", "cip-tcp-dnat or cip-udp-dnat", f"-n{workers}")
    assert done.returncode == 2, done.stdout
    run = read(tmp_path / "latest")
    assert run.verdicts == {"nftables": "error", "iptables": "pass"}
    (error,) = run.errors
    assert error.mode == "nftables"
    assert "unknown mode nftables" in error.message
    found = Counter((result.mode, result.outcome) for result in run.results)
    assert found["iptables", "passed"] == 4
    assert 1 <= found["nftables", "error"] <= max(workers, 1), "none tries it twice"
    assert found["nftables", "skipped"] == 4 - found["nftables", "error"]
    assert "nftables  ERROR" in done.stdout


def test_full_disk_at_the_results_folder(run_suite: Any, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12k", "full", disk], check=True)
    try:
        done = run_suite(CASE, "--modes", "nftables", "--results", str(disk), "-n0")
    finally:
        subprocess.run(["umount", disk], check=True)
    assert done.returncode == 2
    assert "results cannot be written: No space left on device; make room" in done.stdout


_PATIENCE: Final = 300.0  # seconds: a run begins slowly where others do beside it


class Running:
    """A conformance run with two workers."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "conformance", "-n2", "--results", str(results)],
            cwd=ROOT,
            env=outside(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.family = set[int]()

    def lines(self) -> list[str]:
        """What has been written to the results so far."""
        return [
            line
            for file in self.results.glob("*Z-*/results.jsonl")
            for line in file.read_text().splitlines()
        ]

    def wait_for_a_verdict(self) -> None:
        """Wait until it has judged something."""
        self._wait(lambda: any('"outcome":"passed"' in line for line in self.lines()))
        self.family = descendants(self.process.pid)

    def wait_for_the_end(self) -> None:
        """Wait until the run and every process that it had are gone."""
        self._wait(lambda: self.process.poll() is not None)
        self._wait(lambda: not [pid for pid in self.family if alive(pid)])

    @staticmethod
    def _wait(done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not done():
            assert time.monotonic() < deadline, "it has not come"
            time.sleep(0.05)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A conformance run with two workers that has got going."""
    run = Running(tmp_path / "results")
    try:
        run.wait_for_a_verdict()
        yield run
    finally:
        if run.process.poll() is None:
            os.killpg(run.process.pid, signal.SIGKILL)
        run.process.communicate()


def test_ctrl_c_leaves_partial_results_and_nothing_else(running: Running) -> None:
    os.killpg(running.process.pid, signal.SIGINT)
    running.wait_for_the_end()
    assert running.process.returncode == 2
    end = json.loads(running.lines()[-1])
    assert (end["type"], end["interrupted"]) == ("end", True)
    run = read(running.results / "latest")
    assert set(run.verdicts.values()) == {"error"}
    assert "interrupted" in " ".join(run.faults("nftables"))


def test_termination_ends_a_run_in_order(running: Running) -> None:
    running.process.terminate()
    running.wait_for_the_end()
    assert running.process.returncode == 2
    assert json.loads(running.lines()[-1])["interrupted"]


def test_kill_of_the_outermost_process_leaves_nothing(running: Running) -> None:
    mounts = Path("/proc/self/mountinfo").read_text()
    namespaces = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    assert len(running.family) > 5, "control planes, workers and proxies should be running"
    running.process.kill()
    running.wait_for_the_end()
    after = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    assert after == namespaces
    assert Path("/proc/self/mountinfo").read_text() == mounts
    assert json.loads(running.lines()[0])["type"] == "run"
