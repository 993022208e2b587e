"""Shards of releases: which there are, what runs them elsewhere, and what joins them again."""

from __future__ import annotations

import dataclasses
import json
import lzma
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from clusters import implementation
from releases import job, joined, plan, printed, shards
from releases.causes import Listed
from reports.model.releases import line_up
from reports.records import result_file
from specification.errors import ResultFileError, UsageError
from tests.samples import run as sample
from tests.samples.releases import DEMANDED, release

if TYPE_CHECKING:
    from releases.plan import Asked
    from releases.shards import Shard

COMMIT = "4f0c2a9be1d37708a6a1c55de2f9a8b6c7d4e3f2"
SUITE = {"name": "kube-proxy-conformance", "version": "1", "commit": COMMIT}
GONE = "ct-udp-zero-eps"
VERSIONS = ("1.32.2", "1.36.3")


def asked(*words: str, results: Path = Path("/results")) -> Asked:
    return plan.parsed(words or VERSIONS, Path("/"), results=results).seeded(COMMIT)


def left(shard: Shard, folder: Path, name: str = "run") -> Path:
    """What a shard leaves: its result file."""
    failing = shard.run.proxy_version == "1.36.3"
    outcomes = {GONE: "expected-failure" if failing else "passed", DEMANDED: "passed"}
    return release(
        folder / f"shard-{shard.number}",
        f"v{shard.run.proxy_version}",
        outcomes,
        name=f"{name}-{shard.number}",
        modes=(shard.run.modes,),
        suite=SUITE,
        seed=shard.run.seed,
        reproduce=shard.run.lasting().command(),
    )


# --- which there are, and who runs them -----------------------------------------------------------


def test_each_release_is_a_shard_in_each_mode() -> None:
    matrix = json.loads(shards.matrix(shards.of(asked(), COMMIT)))
    assert matrix["include"] == [
        {"shard": 0, "release": "1.32.2", "mode": "iptables"},
        {"shard": 1, "release": "1.32.2", "mode": "nftables"},
        {"shard": 2, "release": "1.36.3", "mode": "iptables"},
        {"shard": 3, "release": "1.36.3", "mode": "nftables"},
    ]


def test_the_workflow_uses_what_the_matrix_has() -> None:
    workflow = Path(plan.__file__).parents[1] / ".github" / "workflows" / "releases.yml"
    (entry, *_) = json.loads(shards.matrix(shards.of(asked(), COMMIT)))["include"]
    assert set(re.findall(r"matrix\.(\w+)", workflow.read_text())) == set(entry)


def test_a_shards_command_has_the_same_shards_elsewhere() -> None:
    here = asked(*VERSIONS, "-k", "udp or tcp", "-n", "3", "--modes", "nftables", "--node", "netns")
    there = plan.parsed(shards.words(here)[1:], Path("/elsewhere"), results=Path("/other"))
    commands = [
        [each.run.lasting().command() for each in shards.of(one, COMMIT)]
        for one in (here, there.seeded("another"))
    ]
    assert commands[0] == commands[1]
    assert there.run.numprocesses == "3"
    one = shards.of(here, COMMIT)[1]
    words = shards.again(here, one)
    assert words == (
        "./conform releases 1.32.2 1.36.3 --modes nftables --node netns"
        f" --seed {here.run.seed} -k 'udp or tcp' -n 3 --shard 1"
    )


def test_tests_of_the_suite_are_named_as_they_are_anywhere() -> None:
    root = Path(plan.__file__).parents[1]
    here = plan.parsed(["1.36.3", "conntrack"], root / "conformance", results=root)
    assert here.run.file_or_dir == ("conformance/conntrack",)


@pytest.mark.parametrize(
    ("words", "commit", "said"),
    [
        (["1.36.3"], "", "here is no git checkout"),
        (["1.36.3", "--proxy-binary", "mine"], COMMIT, "/mine is on this machine alone"),
        (["1.36.3", "--kernel", "./bzImage"], COMMIT, "/bzImage is on this machine alone"),
        (["1.36.3", "/dev"], COMMIT, "/dev is on this machine alone"),
        (["1.36.3", "v1.36.3"], COMMIT, "given twice"),
        (["1.36.3", "--modes", "ebpf"], COMMIT, "no mode 'ebpf'"),
        (["1.36.3", "--shard", "2"], COMMIT, "no shard 2: they are 0 to 1"),
        (["1.36.3", "--shard", "-1"], COMMIT, "no shard -1"),
    ],
)
def test_what_would_not_be_the_same_everywhere_is_refused(
    words: list[str], commit: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        shards.chosen(asked(*words), commit)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--shards", "job"], "--image go together"),
        (["--image", "x"], "--image go together"),
        (["--shards", "github", "--image", "x"], "--image go together"),
        (["--shards", "slurm"], "invalid choice"),
        (["--shard", "0", "--from", "/dev"], "not allowed with"),
        (["--print"], "--print goes with --shard"),
        (["--from", "nowhere"], "--from nowhere is no folder"),
    ],
)
def test_options_that_contradict_each_other_are_refused(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        asked("1.36.3", *words)


def test_a_job_has_a_pod_for_each_shard_with_room_for_its_workers() -> None:
    here = asked(*VERSIONS, "-n", "3", "--shards", "job", "--image", "some/image:1")
    found = yaml.safe_load(job.manifest(here, shards.of(here, COMMIT), here.image))
    assert (found["apiVersion"], found["kind"]) == ("batch/v1", "Job")
    spec = found["spec"]
    assert (spec["completionMode"], spec["completions"]) == ("Indexed", 4)
    assert spec["backoffLimitPerIndex"] == 0
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    (container,) = pod["containers"]
    assert container["image"] == "some/image:1"
    assert container["command"] == [
        "./conform",
        *shards.words(here),
        *("--shard", "$(JOB_COMPLETION_INDEX)", "--print"),
    ]
    assert container["resources"]["requests"] == {"cpu": "3", "memory": "6Gi"}
    capabilities = container["securityContext"]["capabilities"]
    assert capabilities == {"drop": ["ALL"], "add": ["SYS_ADMIN", "NET_ADMIN", "NET_RAW"]}


def test_a_pod_is_told_how_many_workers_it_has_room_for() -> None:
    here = asked(*VERSIONS, "--shards", "job", "--image", "i")
    (container,) = yaml.safe_load(job.manifest(here, shards.of(here, COMMIT), "i"))["spec"][
        "template"
    ]["spec"]["containers"]
    at = container["command"].index("-n")
    assert container["command"][at + 1] == container["resources"]["requests"]["cpu"] == "2"


# --- what joins them ------------------------------------------------------------------------------


@pytest.fixture(name="here")
def fixture_here(tmp_path: Path) -> Asked:
    return asked(*VERSIONS, results=tmp_path / "results")


@pytest.fixture(name="folder")
def fixture_folder(here: Asked, tmp_path: Path) -> Path:
    """What all shards have left, whole."""
    for shard in shards.of(here, COMMIT):
        left(shard, tmp_path / "left")
    return tmp_path / "left"


def test_what_shards_leave_is_what_one_machine_would(
    here: Asked, folder: Path, tmp_path: Path
) -> None:
    outcomes = [{GONE: word, DEMANDED: "passed"} for word in ("passed", "expected-failure")]
    known = Listed(implementation.load("kube-proxy"))
    unsharded, sharded = (
        line_up(paths, known)
        for paths in (
            [
                release(tmp_path / "one", f"v{version}", each, suite=SUITE, seed=here.run.seed)
                for version, each in zip(VERSIONS, outcomes, strict=True)
            ],
            joined.runs(here, COMMIT, folder),
        )
    )
    assert sharded.answer == unsharded.answer == "Each of 1 difference has a known cause."
    assert [step.changes for step in sharded.steps] == [step.changes for step in unsharded.steps]
    assert [each.word for each in sharded.announced["1.41"]] == ["ready"] * 4
    assert (tmp_path / "results" / "v1.36.3" / "report.html").exists()
    # and again, over what it has written
    assert joined.runs(here, COMMIT, folder)[1] == tmp_path / "results/v1.36.3/results.jsonl"


def test_what_logs_hold_is_joined_too(here: Asked, folder: Path) -> None:
    log = "conform: installs\n"
    for path in sorted(folder.glob("shard-[12]/*/results.jsonl")):
        log += f"releases: takes a while\n{printed.text(path)}done\n"
        shutil.rmtree(path.parents[1])
    (folder / "pods.log").write_text(log)
    packed = folder / "shard-0/run-0-v1.32.2/results.jsonl"
    packed.with_name("results.jsonl.xz").write_bytes(lzma.compress(packed.read_bytes()))
    packed.unlink()
    assert len(joined.runs(here, COMMIT, folder)) == 2


def test_a_release_in_one_mode_is_joined_from_one_shard(tmp_path: Path) -> None:
    here = asked(*VERSIONS, "--modes", "nftables", results=tmp_path / "results")
    for shard in shards.of(here, COMMIT):
        left(shard, tmp_path / "left")
    first, _ = joined.runs(here, COMMIT, tmp_path / "left")
    assert b'"modes":["nftables"]' in result_file.content(first)


def refused(here: Asked, folder: Path, commit: str = COMMIT) -> str:
    with pytest.raises(ResultFileError) as caught:
        joined.runs(here, commit, folder)
    assert "\n" not in str(caught.value)
    assert not here.run.written.exists(), "nothing is written of what is not whole"
    return str(caught.value)


def test_a_lost_shard_is_named_with_how_it_is_run_again(here: Asked, folder: Path) -> None:
    shutil.rmtree(folder / "shard-2")
    assert refused(here, folder) == (
        f"shard 2 (1.36.3, iptables mode) has no results in {folder}: ./conform releases 1.32.2"
        f" 1.36.3 --modes iptables,nftables --seed {here.run.seed} --shard 2"
    )
    shutil.rmtree(folder / "shard-0")
    told = refused(here, folder)
    assert told.startswith(
        "shard 0 (1.32.2, iptables mode), one of 2 that are not whole, has no results in"
    )


def test_a_shard_that_is_there_twice_is_refused(here: Asked, folder: Path) -> None:
    left(shards.of(here, COMMIT)[3], folder / "more", name="again")
    assert refused(here, folder) == (
        f"shard 3 (1.36.3, nftables mode) has 2 results in {folder}, where one is wanted:"
        " more/shard-3/again-3-v1.36.3/results.jsonl, shard-3/run-3-v1.36.3/results.jsonl"
    )


def test_a_shard_that_is_printed_and_there_is_there_twice(here: Asked, folder: Path) -> None:
    (path,) = folder.glob("shard-1/*/results.jsonl")
    (folder / "pod.log").write_text(printed.text(path))
    told = refused(here, folder)
    assert told.startswith("shard 1 (1.32.2, nftables mode) has 2 results in")
    assert told.endswith("results.jsonl, pod.log no. 1")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("interrupted", "results of an interrupted run"),
        ("cut off", "results that cannot be read"),
        ("torn", "no results"),
        ("edited", "results that cannot be read"),
    ],
)
def test_a_shard_that_is_not_whole_is_refused(
    here: Asked, folder: Path, how: str, said: str
) -> None:
    (path,) = folder.glob("shard-1/*/results.jsonl")
    lines = path.read_text().splitlines(keepends=True)
    ended = lines[-1].replace('"interrupted":false', '"interrupted":true')
    texts = {
        "interrupted": "".join([*lines[:-1], ended]),
        "cut off": "".join(lines[:-1]),
        "torn": "".join(lines)[:-20],
        "edited": "".join([lines[0], *lines[2:]]),
    }
    path.write_text(texts[how])
    assert refused(here, folder).startswith(f"shard 1 (1.32.2, nftables mode) has {said} in")


def test_shards_by_another_commit_or_command_are_refused(here: Asked, folder: Path) -> None:
    assert "has results by commit 4f0c2a9" in refused(here, folder, commit="another")
    other = dataclasses.replace(here, run=dataclasses.replace(here.run, seed=7))
    told = refused(other, folder)
    assert "is of none of these shards, but by ./conform --modes iptables --proxy-version" in told


def test_a_log_that_is_cut_off_is_refused(here: Asked, folder: Path) -> None:
    (path,) = folder.glob("shard-1/*/results.jsonl")
    text = printed.text(path)
    (folder / "pod.log").write_text(text[: len(text) // 2])
    assert refused(here, folder).startswith(f"{folder}/pod.log: results in it are cut off")


def test_printed_results_are_what_they_were(tmp_path: Path) -> None:
    path = sample.write(tmp_path / "run", sample.header(), sample.requirement("a"))
    text = printed.text(path)
    assert max(map(len, text.splitlines())) <= 76
    (tmp_path / "x.log").write_text(f"a line\n{text}\nmore\n{text}")
    found = [lzma.decompress(each) for each in printed.read(tmp_path / "x.log")]
    assert found == [path.read_bytes()] * 2
