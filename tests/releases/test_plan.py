"""What the command line of releases asks for, and what of it is there already."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from clusters import program
from clusters.program import Judged
from launch.invocation import Run
from releases import plan, resume
from releases.plan import Release
from specification.errors import ArtifactError, UsageError
from tests.samples.releases import release

RESULTS = Path("/results")


def asked(*words: str, folder: Path = Path("/")) -> plan.Asked:
    return plan.parsed(words, folder, results=RESULTS)


@pytest.fixture(name="programs")
def fixture_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that say the version which their path ends in."""
    monkeypatch.setattr(program, "locate", lambda _, binary, version: Path(binary or f"/{version}"))
    monkeypatch.setattr(program, "judged", lambda _, path: Judged("p", f"v{path.name}", str(path)))


def test_versions_paths_and_options_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").touch()
    words = ["1.34.4", "v1.37.2", "test_x.py::test_y", "1.38.0-beta.0", "-k", "udp", "-n", "1"]
    found = asked(*words, "--proxy-binary", "one", "--proxy-binary=two", folder=tmp_path)
    assert found.versions == ("1.34.4", "1.37.2", "1.38.0-beta.0")
    assert found.binaries == (f"{tmp_path}/one", f"{tmp_path}/two")
    assert found.run == Run(
        modes="iptables,nftables",
        keyword="udp",
        numprocesses="1",
        results=str(RESULTS),
        file_or_dir=(f"{tmp_path}/test_x.py::test_y",),
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name a release"),
        (["1.36"], "1.36 is no version, such as 1.36.3, and no file or folder"),
        (["1.36.3", "conformance/nope"], "conformance/nope is no version"),
        (["1.36.3", "--lf"], "there is no option --lf"),
        (["1.36.3", "--proxy-version", "1.34.4"], "name all of them without an option"),
        (["1.36.3", "--provider", "simulated"], "brings its own proxy"),
        (["1.36.3", "--keep"], "--keep stops"),
        (["1.36.3", "--seed", "x"], "argument --seed: invalid int value"),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        asked(*words)


@pytest.mark.usefixtures("programs")
def test_releases_come_as_given_and_binaries_last() -> None:
    found = plan.located(asked("--proxy-binary", "/my/1.38.0", "1.37.2", "1.36.3"))
    assert [each.version for each in found] == ["v1.37.2", "v1.36.3", "v1.38.0"]
    assert found[0].told == "kube-proxy v1.37.2"
    assert found[0].run.argv()[:4] == [
        "--modes",
        "iptables,nftables",
        "--proxy-version",
        "1.37.2",
    ]
    assert found[2].run.proxy_binary == "/my/1.38.0"


@pytest.mark.usefixtures("programs")
def test_a_release_that_is_given_twice_or_a_mode_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match=r"kube-proxy v1\.36\.3 was given twice"):
        plan.located(asked("1.36.3", "--proxy-binary", "/my/1.36.3"))
    with pytest.raises(UsageError, match="no mode 'ebpf'"):
        plan.located(asked("1.36.3", "--modes", "ebpf"))


def test_what_cannot_be_had_is_said_before_anything_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def locate(_: object, __: str, version: str) -> Path:
        raise ArtifactError(f"no kube-proxy {version}: nobody serves it")

    monkeypatch.setattr(program, "locate", locate)
    with pytest.raises(ArtifactError, match=r"no kube-proxy 1\.36\.2: nobody serves it"):
        plan.located(asked("1.36.2", "1.36.3"))


def test_the_seed_follows_from_the_suite_unless_it_is_given() -> None:
    one, other = (asked("1.36.3").seeded(commit).run.seed for commit in ("a" * 40, "b" * 40))
    assert one == asked("1.36.3").seeded("a" * 40).run.seed != other
    assert asked("1.36.3", "--seed", "7").seeded("a" * 40).run.seed == 7
    unknown = {asked("1.36.3").seeded("").run.seed for _ in range(3)}
    assert len(unknown) > 1, "nobody knows the suite: it is drawn"


def test_results_are_there_by_the_same_command_and_program_alone(tmp_path: Path) -> None:
    run = Run(modes="iptables", proxy_version="1.36.3", seed=7, results=str(tmp_path))
    wanted = Release(run, "v1.36.3", "v1.36.3")
    command = run.lasting().command()
    there = release(tmp_path, "v1.36.3", {"a": "passed"}, reproduce=command)
    assert list(resume.complete(wanted)) == [there]
    assert not resume.complete(dataclasses.replace(wanted, sha256="other"))
    for other in ({"seed": 8}, {"keyword": "udp"}, {"proxy_version": "1.34.4"}):
        elsewhere = dataclasses.replace(run, **other)
        assert not resume.complete(dataclasses.replace(wanted, run=elsewhere))
    more = dataclasses.replace(run, numprocesses="1")
    assert list(resume.complete(dataclasses.replace(wanted, run=more))) == [there]


@pytest.mark.parametrize("how", ["interrupted", "cut off", "empty", "no results"])
def test_what_was_interrupted_is_none(tmp_path: Path, how: str) -> None:
    run = Run(proxy_version="1.36.3", results=str(tmp_path))
    command = run.lasting().command()
    path = release(tmp_path, "v1.36.3", {"a": "passed"}, reproduce=command)
    lines = path.read_text().splitlines(keepends=True)
    ended = lines[-1].replace('"interrupted":false', '"interrupted":true')
    texts = {"interrupted": "".join([*lines[:-1], ended]), "cut off": "".join(lines[:-1])}
    path.write_text(texts.get(how, "" if how == "empty" else "[]\n"))
    assert not resume.complete(Release(run, "v1.36.3", "v1.36.3"))
