"""The command over several releases, whose runs leave sample results instead of judging."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from clusters import program
from clusters.build import artifacts
from clusters.program import Judged
from clusters.vm import kernel
from fixtures.record import fingerprint
from launch.invocation import Run
from releases import command
from reports.records import base
from reports.records.base import Suite
from tests.samples.releases import DEMANDED, release

if TYPE_CHECKING:
    from collections.abc import Callable

GONE = "ct-udp-zero-eps"
OUTCOMES = {"v1.32.2": "passed", "v1.36.3": "expected-failure", "v1.37.2": "passed"}
COMMIT = "4f0c2a9be1d37708a6a1c55de2f9a8b6c7d4e3f2"


@pytest.fixture(name="ran")
def fixture_ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The versions that were run, of which each leaves its results."""
    ran: list[str] = []

    def delegate(argv: list[str]) -> int:
        assert argv[0] == str(Path(command.__file__).parents[1] / "conform")
        asked = Run.of(Run.parser().parse_args(argv[1:]))
        version = f"v{asked.proxy_version}"
        ran.append(version)
        release(
            Path(asked.results),
            version,
            {GONE: OUTCOMES[version], DEMANDED: "passed"},
            name=f"run{len(ran)}",
            modes=asked.modes.split(","),
            suite=base.values(fingerprint.suite(Path())),
            reproduce=asked.lasting().command(),
            seed=asked.seed,
        )
        return 1

    monkeypatch.setattr(command, "delegate", delegate)
    monkeypatch.setattr(fingerprint, "suite", lambda _: Suite("s", "1", COMMIT))
    monkeypatch.setattr(program, "locate", lambda *words: Path(f"/v{words[2]}"))
    monkeypatch.setattr(
        program, "judged", lambda _, path: Judged("kube-proxy", path.name, path.name)
    )
    return ran


@pytest.fixture(name="run")
def fixture_run(tmp_path: Path) -> Callable[..., int]:
    return lambda *words: command.main([*words, "--results", str(tmp_path)])


def test_each_release_is_run_once_and_lined_up(
    ran: list[str],
    run: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("1.32.2", "1.36.3", "1.37.2") == 0
    assert ran == ["v1.32.2", "v1.36.3", "v1.37.2"]
    out = capsys.readouterr().out
    assert "releases: 2 of 3, kube-proxy v1.36.3: runs in iptables and nftables mode\n" in out
    assert "releases: 2 of 3, kube-proxy v1.36.3: took 0.0" in out
    assert "against v1.32.2: broke 1\n" in out
    assert "for 1.41: iptables ready, nftables ready\n" in out
    assert "Each of 2 differences has a known cause.\n" in out
    assert out.endswith(f"Wrote: {tmp_path}/releases.html\nWrote: {tmp_path}/releases.md\n")
    assert (tmp_path / "releases.html").exists()
    # the same command again runs nothing, and another release alone is run
    assert run("1.32.2", "1.36.3") == 0
    assert "kube-proxy v1.36.3: has been run, see" in capsys.readouterr().out
    assert len(ran) == 3


def test_another_suite_or_seed_is_run_anew(
    ran: list[str], run: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [run("1.36.3", "--seed", seed) for seed in ("7", "8", "7")] == [0, 0, 0]
    assert len(ran) == 2, "another seed is run, and the first is there"
    monkeypatch.setattr(fingerprint, "suite", lambda _: Suite("s", "1", "another"))
    assert run("1.36.3", "--seed", "7") == 0
    assert len(ran) == 3, "another suite"
    monkeypatch.setattr(fingerprint, "suite", lambda _: Suite("s", "1"))
    assert [run("1.36.3", "--seed", "7"), run("1.36.3", "--seed", "7")] == [0, 0]
    assert len(ran) == 5, "nobody knows which suite it is"


def test_what_has_no_known_cause_is_told_and_is_the_exit_code(
    ran: list[str],
    run: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(OUTCOMES, "v1.36.3", "failed")
    assert run("1.32.2", "1.36.3") == 1
    out = capsys.readouterr().out
    assert "1 of 1 difference without a known cause. 2 results that nobody has listed.\n" in out
    assert "  v1.36.3 broke ct-udp-zero-eps in iptables, nftables\n" in out
    assert "  v1.36.3 nftables: ct-udp-zero-eps FAIL, not listed\n" in out
    assert len(ran) == 2


def test_a_release_that_leaves_no_results_ends_it(
    ran: list[str],
    run: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "delegate", lambda _: 2)
    assert run("1.32.2", "1.36.3") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "conform: kube-proxy v1.32.2 was not run to its end: see above; the same command goes on"
        " with it"
    )
    assert ran == []


def test_shards_run_apart_and_are_joined(
    ran: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["1.32.2", "1.36.3", "--results"]
    for shard in ("0", "1", "3"):  # each on a machine of its own
        folder = str(tmp_path / "left" / shard)
        assert command.main([*words, folder, "--shard", shard]) == 0
    capsys.readouterr()
    assert command.main([*words, str(tmp_path / "own"), "--shard", "2", "--print"]) == 0
    assert ran == ["v1.32.2", "v1.32.2", "v1.36.3", "v1.36.3"]
    log = capsys.readouterr().out
    assert log.startswith("releases: shard 2 (1.36.3, iptables mode), kube-proxy v1.36.3: runs in")
    joining = [*words, str(tmp_path / "whole"), "--from", str(tmp_path / "left")]
    assert command.main(joining) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("conform: shard 2 (1.36.3, iptables mode) has no results in")
    (tmp_path / "left" / "pod.log").write_text(log)
    assert command.main(joining) == 0
    out = capsys.readouterr().out
    assert "against v1.32.2: broke 1\n" in out
    assert f"Wrote: {tmp_path}/whole/releases.html\n" in out
    assert len(ran) == 4, "joining runs nothing"


def test_a_shard_that_leaves_no_results_is_no_success(
    ran: list[str], run: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "delegate", lambda _: 1)
    assert run("1.36.3", "--shard", "0", "--print") == 2
    assert ran == []


def test_who_runs_shards_is_told_and_nothing_is_run(
    ran: list[str], run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("1.36.3", "--modes", "nftables", "--shards", "github") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"include": [{"shard": 0, "release": "1.36.3", "mode": "nftables"}]}
    assert run("1.36.3", "--shards", "job", "--image", "i") == 0
    assert yaml.safe_load(capsys.readouterr().out)["spec"]["completions"] == 2
    assert ran == []


@pytest.mark.parametrize(("mode", "machines"), [("nftables", False), ("ipvs", True)])
def test_everything_is_had_and_nothing_is_run(
    ran: list[str],
    run: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    machines: bool,
) -> None:
    had: list[str] = []

    def locate(*words: str) -> Path:
        had.append(words[2])
        return Path("/v")

    monkeypatch.setattr(program, "locate", locate)
    monkeypatch.setattr(program, "judged", lambda *_: Judged("kube-proxy", had[-1], ""))
    monkeypatch.setattr(artifacts, "ensure", had.extend)
    monkeypatch.setattr(kernel, "packaged", lambda version: had.append(f"kernel {version}"))
    assert run("1.32.2", "1.36.3", "--prepare", "--modes", mode) == 0
    wanted = ["1.32.2", "1.36.3", "etcd", "kube-apiserver"]
    assert had == [*wanted, *(["kernel "] if machines else [])]
    assert ran == []
    monkeypatch.setattr(fingerprint, "suite", lambda _: Suite("s", "1"))
    assert run("1.32.2", "--prepare") == 2, "what is had for no checkout could not be joined"


def test_help_needs_no_release(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--help"]) == 0
    out = capsys.readouterr().out
    assert "exit codes:" in out
    assert max(map(len, out.splitlines())) <= 100


def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["1.36.3", "conformance/nope"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("conform: conformance/nope is no version")
