"""Options: said once, and the same whoever parses them and whichever way they go."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from launch.invocation import HOW, WHAT, Bench, Invocation, Run
from specification.errors import UsageError

EVERYTHING: dict[type[Invocation], dict[str, Any]] = {
    Run: {
        "modes": "iptables,nftables",
        "implementation": "/mine/proxy.toml",
        "proxy_binary": "/mine/a proxy",
        "proxy_version": "1.34.4",
        "node": "vm",
        "kernel": "/mine/bzImage",
        "modules": "/lib/modules/6.12.0",
        "seed": 0,
        "results": "/mine/results",
        "provider": "kind",
        "kind_image": "image:tag",
        "kubernetes_version": "1.37.0",
        "kind_cluster": "theirs",
        "keyword": "affinity and not (udp)",
        "markexpr": "not slow",
        "numprocesses": "3",
        "every_case": True,
        "hours": 2.5,
        "keep": True,
        "coverage": True,
        "file_or_dir": ("conformance/affinity", "a b.py::test_x[nftables-IPv4]"),
    },
    Bench: {
        "modes": "iptables",
        "implementation": "/mine/proxy.toml",
        "proxy_binary": "/mine/a proxy",
        "proxy_version": "1.34.4",
        "node": "vm",
        "kernel": "6.1",
        "modules": "/lib/modules/6.12.0",
        "seed": 7,
        "results": "/mine/results",
        "quick": True,
        "full": True,
        "services": "1,100",
        "probes": 5,
        "repetitions": 6,
        "minutes": 7,
        "resume": "/mine/bench",
        "new": True,
    },
}
"""A value for every option, none of them its default."""

KINDS = pytest.mark.parametrize("kind", EVERYTHING)


@KINDS
def test_every_option_comes_back_from_its_command_line(kind: type[Invocation]) -> None:
    asked = kind(**EVERYTHING[kind])
    assert set(EVERYTHING[kind]) == {one.name for one in dataclasses.fields(kind)}
    parsed, rest = kind.parser().parse_known_args(asked.argv())
    if isinstance(asked, Run):
        assert tuple(rest) == asked.file_or_dir
        asked = dataclasses.replace(asked, file_or_dir=())
    assert kind.of(parsed) == asked


@KINDS
def test_what_was_not_asked_for_is_not_said(kind: type[Invocation]) -> None:
    assert kind().argv() == []
    assert kind.of(kind.parser().parse_args([])) == kind()


def test_pytest_parses_the_same(pytester: pytest.Pytester) -> None:
    asked = Run(**EVERYTHING[Run] | {"keep": False})
    words = ["-p", "fixtures.plugin"]
    found = Run.of(pytester.parseconfig(*words, *asked.argv()).option)
    assert found == asked
    assert Run.of(pytester.parseconfig(*words).option) == Run()


@KINDS
def test_the_command_that_repeats_it_is_complete(kind: type[Invocation]) -> None:
    once = {"results", "keep", "coverage", "numprocesses", "resume", "new"}
    lasting = {name: value for name, value in EVERYTHING[kind].items() if name not in once}
    command = kind(**EVERYTHING[kind]).lasting().command()
    assert command == kind(**lasting).command()
    assert command.startswith("./conform bench --modes" if kind is Bench else "./conform --modes")


def test_one_result_is_repeated_by_the_command_of_its_run() -> None:
    run = Run(**EVERYTHING[Run]).lasting()
    test = "conformance/x.py::test_x[nftables-IPv4 TCP]"
    one = Run.recorded(run.command()).only("nftables", test)
    assert one == run.only("nftables", test)
    assert Run.recorded(run.command()) == run
    asked = ("modes", "keyword", "markexpr", "numprocesses", "file_or_dir")
    assert [getattr(one, name) for name in asked] == ["nftables", "", "", "0", (test,)]
    assert (one.kubernetes_version, one.every_case) == ("1.37.0", True)
    assert one.command().endswith(f"-n 0 --every-case --hours 2.5 '{test}'")


def test_the_tests_of_a_recorded_command_are_kept_and_what_is_unknown_is_not() -> None:
    found = Run.recorded("./conform --gone conformance/x --seed 7 conformance/y 'a b.py::c[d]'")
    assert (found.seed, found.file_or_dir) == (7, ("conformance/y", "a b.py::c[d]"))


@pytest.mark.parametrize(
    ("command", "why"),
    [("pytest x", r"no command of \./conform"), ("", "no"), ("./conform 'a", "No closing")],
)
def test_what_is_no_command_of_a_run_is_refused(command: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Run.recorded(command)


def test_the_help_tells_of_every_option_but_one_of_pytests() -> None:
    text = Run.help(WHAT) + Run.help(HOW, workers=2)
    for one in dataclasses.fields(Run):
        assert " ".join(one.metadata["text"].format(workers=2).split()) in " ".join(text.split())
    assert "\n  --kernel VERSION|FILE    the kernel of" in text
    assert "\n  --kubernetes-version X.Y.Z  kind's" in text
    assert "-m MARKS" not in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Run(proxy_binary="a", proxy_version="1.34.4"), "name two proxies"),
        (Run(keep=True, numprocesses="2"), "--keep needs a single process"),
        (
            Run(coverage=True, proxy_binary="a"),
            "--coverage needs a kube-proxy that is built",
        ),
        (Run(coverage=True, provider="kind"), "--coverage does not go with --provider kind"),
        (Run(coverage=True, provider="simulated"), "not go with --provider simulated"),
        (Run(kind_cluster="mine"), "--kind-cluster goes with --provider kind"),
        (Run(provider="kind", node="vm"), "do not go with --provider kind"),
        (Run(provider="kind", kernel="6.1"), "do not go with --provider kind"),
        (Run(provider="kind", kind_image="a", kubernetes_version="1.37.0"), "two node images"),
        (Run(provider="kind", kind_image="a", kind_cluster="b"), "has its node image"),
        (Bench(proxy_binary="a", proxy_version="1.34.4"), "name two proxies"),
        (Bench(quick=True, full=True), "--quick and --full name two plans"),
        (Bench(resume="a", new=True), "--resume goes on and --new begins anew"),
        (Bench(services="10,0"), "--services '10,0': give numbers from 1 to 60000"),
        (Bench(services="many"), "--services 'many': give numbers"),
    ],
)
def test_contradictions_are_told(asked: Invocation, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        asked.check()
    type(asked)().check()


def test_a_path_means_the_same_in_any_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").touch()
    asked = Run(implementation="mine.toml", kernel="6.1", results="out", proxy_binary="../proxy")
    found = asked.resolved(tmp_path)
    assert found.implementation == str(tmp_path / "mine.toml")
    assert (found.kernel, found.results) == ("6.1", str(tmp_path / "out"))
    assert Path(found.proxy_binary).resolve() == (tmp_path / "../proxy").resolve()
    assert Run().resolved(tmp_path) == Run()
    assert Run(implementation="cilium").resolved(tmp_path).implementation == "cilium"


@pytest.mark.parametrize("words", [["--probes", "0"], ["--node", "auto"], ["--keep"], ["-k", "x"]])
def test_a_bench_knows_no_option_of_a_run(words: list[str]) -> None:
    with pytest.raises(UsageError, match=r"\(\./conform bench --help\)$"):
        Bench.parser().parse_args(words)
