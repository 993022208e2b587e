"""Several implementations in one command, whose runs leave sample results instead of judging."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from clusters import program
from clusters.program import Judged
from fixtures.plugin import options
from fixtures.record import fingerprint
from launch import launcher
from launch.invocation import Run
from reports.model.comparison import compare
from reports.model.run import read
from reports.records import base
from reports.records.base import Suite
from side_by_side import command, plan
from tests.conftest import ROOT
from tests.samples import run as sample
from tests.samples.schemas import valid

if TYPE_CHECKING:
    from collections.abc import Callable

TINY = str(ROOT / "tests" / "implementations" / "tiny_nft.toml")
BOTH = ("--implementation", "kube-proxy", "--implementation", TINY)
IDS = ("cip-one", "cip-two")

Ran = dict[str, list[str]]
"""Implementation -> the words that its run was given."""


@pytest.fixture(name="left")
def fixture_left() -> dict[str, Any]:
    """What runs leave that is not as it should be: implementation -> its outcome, the exit code
    that it ends with, ``None`` for one that is interrupted before it has a result, or an end.
    """
    return {}


@pytest.fixture(name="ran")
def fixture_ran(monkeypatch: pytest.MonkeyPatch, left: dict[str, Any]) -> Ran:
    """The runs, of which each leaves its results."""
    ran: Ran = {}

    def attend(argv: list[str]) -> int | None:
        assert argv[0] == str(ROOT / "conform")
        asked = Run.of(Run.parser().parse_known_args(argv[1:])[0])
        name = Path(asked.implementation).stem
        ran[name] = argv[1:]
        how = left.get(name, "passed")
        if how is None or isinstance(how, int):
            return how
        end = dict(how) if isinstance(how, dict) else {"exit": int(how == "failed")}
        cut, code = end.pop("cut", False), end.pop("code", end["exit"])
        outcome = how if isinstance(how, str) else "passed"
        modes = asked.modes.split(",")
        sample.write(
            Path(asked.results) / "run",
            sample.header(
                run=f"run-{name}",
                modes=modes,
                suite=base.values(fingerprint.suite(Path())),
                implementation={"name": name.replace("_", "-"), "version": "v1"},
                reproduce=asked.lasting().command(),
                seed=asked.seed,
            ),
            *(sample.requirement(each) for each in IDS),
            *(sample.result(each, mode, outcome) for each in IDS for mode in modes),
            **end,
        )
        if cut:
            file = Path(asked.results) / "run" / "results.jsonl"
            file.write_text(file.read_text()[:-1])
        return None if end.get("interrupted") else int(code)

    monkeypatch.setattr(command, "attend", attend)
    monkeypatch.setattr(fingerprint, "suite", lambda _: Suite("s", "1", "abc"))
    monkeypatch.setattr(options, "checked", lambda _: None)
    monkeypatch.setattr(plan, "runnable", lambda _: ["iptables", "nftables"])
    monkeypatch.setattr(program, "locate", lambda chosen: Path(chosen.name))
    monkeypatch.setattr(program, "judged", lambda chosen, _: Judged(chosen.name, "v1", "0" * 64))
    return ran


@pytest.fixture(name="run")
def fixture_run(tmp_path: Path) -> Callable[..., int]:
    return lambda *words: command.main([*words, "--results", str(tmp_path)])


IPTABLES, NFTABLES, OTHER = (
    "iptables, kube-proxy v1",
    "nftables, kube-proxy v1",
    "tiny, tiny-nft v1",
)


def test_each_is_run_by_itself_and_one_report_has_them_all(
    ran: Ran, run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*BOTH, "-x", str(ROOT / "conformance" / "affinity")) == 0
    whole = read(tmp_path / "latest")
    assert whole.verdicts == {IPTABLES: "pass", NFTABLES: "pass", OTHER: "pass"}
    assert valid(tmp_path / "latest" / "results.jsonl")
    assert (tmp_path / "latest" / "report.html").exists()
    assert [list(ran), ran["tiny_nft"][-2:]] == [
        ["kube-proxy", "tiny_nft"],
        ["-x", "conformance/affinity"],
    ]
    seeds = {Run.of(Run.parser().parse_known_args(words)[0]).seed for words in ran.values()}
    assert seeds == {whole.header.seed}, "random choices are the same for each"
    out = capsys.readouterr().out
    assert "conform: 1 of 2, kube-proxy v1: runs in iptables and nftables mode\n" in out
    assert "conform: 2 of 2, tiny-nft v1: took 0.0" in out
    labels = [each.label for each in compare([tmp_path / "latest"]).columns]
    assert labels == ["kube-proxy iptables", "kube-proxy nftables", "tiny-nft tiny"]


def test_each_runs_those_of_the_named_modes_that_it_has(
    ran: Ran, run: Callable[..., int], tmp_path: Path
) -> None:
    assert run(*BOTH, "--modes", "tiny,nftables", "--seed", "7") == 0
    assert read(tmp_path / "latest").modes == (NFTABLES, OTHER)
    assert ran["tiny_nft"][:4] == ["--modes", "tiny", "--implementation", TINY]


def test_the_exit_code_is_that_of_the_worst(
    ran: Ran, run: Callable[..., int], left: dict[str, Any], tmp_path: Path
) -> None:
    left["kube-proxy"] = "failed"
    assert run(*BOTH) == 1
    assert read(tmp_path / "latest").verdicts[OTHER] == "pass"
    left["tiny_nft"] = "error"
    assert run(*BOTH) == 2
    left.clear()
    assert run(*BOTH) == 0
    assert len(ran) == 2


def test_one_that_could_not_be_run_has_no_verdict(
    ran: Ran, run: Callable[..., int], left: dict[str, Any], tmp_path: Path
) -> None:
    left["kube-proxy"] = 2
    assert run(*BOTH, "--seed", "7", "-x") == 2
    whole = read(tmp_path / "latest")
    assert whole.verdicts == {IPTABLES: "error", NFTABLES: "error", OTHER: "pass"}
    assert whole.faults(IPTABLES)[0] == "not run to its end: see what it said"
    assert whole.header.origin(IPTABLES).reproduce == (
        "./conform --modes iptables,nftables --seed 7 -x"
    )
    assert valid(tmp_path / "latest" / "results.jsonl")
    assert list(ran) == ["kube-proxy", "tiny_nft"]


def test_results_that_were_cut_off_are_none(
    ran: Ran, run: Callable[..., int], left: dict[str, Any], tmp_path: Path
) -> None:
    left["tiny_nft"] = {"exit": 0, "cut": True}
    assert run(*BOTH) == 2
    whole = read(tmp_path / "latest")
    assert whole.verdicts == {IPTABLES: "pass", NFTABLES: "pass", OTHER: "error"}
    assert "its last line is cut off" in whole.faults(OTHER)[0]
    assert len(ran) == 2


def test_an_exit_code_that_no_result_explains_counts(
    ran: Ran, run: Callable[..., int], left: dict[str, Any], tmp_path: Path
) -> None:
    left["tiny_nft"] = {"exit": 0, "code": 2}
    assert run(*BOTH) == 2
    whole = read(tmp_path / "latest")
    assert whole.verdicts == {IPTABLES: "pass", NFTABLES: "pass", OTHER: "error"}
    assert "exit code 2, which none of its results explains" in whole.faults(OTHER)[0]
    assert len(ran) == 2


@pytest.mark.parametrize("how", [None, {"exit": 2, "interrupted": True}])
def test_who_interrupts_one_run_means_them_all(
    how: dict[str, Any] | None,
    ran: Ran,
    run: Callable[..., int],
    left: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    left["kube-proxy"] = how
    third = ("--implementation", "hollow-proxy")
    assert run("--implementation", TINY, *BOTH[:2], *third) == 2
    assert list(ran) == ["tiny_nft", "kube-proxy"], "and the third is not begun"
    assert "conform: 3 of 3, hollow-proxy v1: is not run\n" in capsys.readouterr().out
    whole = read(tmp_path / "latest")
    hollow = "hollow, hollow-proxy v1"
    assert whole.verdicts == {OTHER: "pass"} | dict.fromkeys((IPTABLES, NFTABLES, hollow), "error")
    assert "not run: the runs were interrupted" in whole.faults(hollow)
    assert "interrupted" in whole.faults(IPTABLES)[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*BOTH[:2], *BOTH[:2]), "kube-proxy was given twice"),
        ((*BOTH, *BOTH[:2]), "kube-proxy was given twice"),
        ((*BOTH, "--modes", "nftables"), "tiny-nft has no mode 'nftables': choose from tiny"),
        ((*BOTH, "--modes", "tiny,ebpf"), "none of them has a mode 'ebpf': kube-proxy has ipt"),
        ((*BOTH, "--proxy-binary", "mine"), "--proxy-binary is for one implementation"),
        ((*BOTH, "--proxy-version", "1.34.4"), "--proxy-version is for one implementation"),
        ((*BOTH, "--coverage"), "--coverage is for one implementation"),
        ((*BOTH, "--keep"), "--keep is for one implementation"),
        ((*BOTH, "--provider", "kind", "--kind-cluster", "a"), "--kind-cluster is for one"),
        ((*BOTH, "--provider", "simulated"), "does not go with --provider simulated"),
        ((*BOTH[:2], "--implementation", "other"), "there is no implementation other"),
    ],
)
def test_senseless_combinations_are_one_line_and_nothing_is_run(
    words: tuple[str, ...],
    said: str,
    ran: Ran,
    run: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(*words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("conform: ")
    assert said in line
    assert not ran
    assert not list(tmp_path.iterdir())


def test_two_files_of_one_name_are_told_apart(
    ran: Ran, run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy.toml"
    shutil.copy(TINY, copy)
    (tmp_path / "tiny_nft.expected-failures.toml").touch()
    assert run("--implementation", TINY, "--implementation", str(copy)) == 2
    assert "two implementations are called tiny-nft: " in capsys.readouterr().err
    assert not ran


# --- how the launcher comes here ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "module"),
    [
        ([*BOTH, "-x"], ["side_by_side"]),
        (["releases", *BOTH[:2], "1.36.3"], ["releases"]),
        (["releases", *BOTH, "1.36.3"], None),
        (["bench", *BOTH], None),
        (["soak", *BOTH], None),
        (["selftest", *BOTH], None),
    ],
)
def test_only_a_run_is_of_several(
    arguments: list[str],
    module: list[str] | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    became: list[list[str]] = []

    def become(argv: list[str], _: list[str]) -> None:
        became.append(argv)
        raise SystemExit(0)

    monkeypatch.setattr(launcher, "_become", become)
    monkeypatch.setattr("sys.argv", ["launcher", *arguments])
    try:
        assert launcher.main() == 2
    except SystemExit:
        assert became == [module]
    else:
        said = f"conform: {arguments[0]} is about one implementation: give --implementation once\n"
        assert capsys.readouterr().err == said
        assert module is None
