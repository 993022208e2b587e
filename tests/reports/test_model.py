"""The result model: what a run means, and which files mean nothing."""

from __future__ import annotations

import gzip
import json
import lzma
import re
from typing import TYPE_CHECKING, Any

import pytest

from reports.model.run import Run, read
from specification.errors import ResultFileError
from tests.samples import run as sample
from tests.samples.schemas import valid

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def run_of(folder: Path, *records: dict[str, Any], **end: Any) -> Run:
    return read(sample.write(folder, *records, **end))


def one_mode(*outcomes: str) -> list[dict[str, Any]]:
    """A requirement with one case per outcome, in the only mode of the run."""
    return [
        sample.header(modes=["iptables"]),
        sample.requirement(),
        *(sample.result(outcome=o, case=f"c{i}") for i, o in enumerate(outcomes)),
    ]


@pytest.mark.parametrize(
    ("outcomes", "word", "verdict", "exit_code"),
    [
        (["passed"], "passed", "pass", 0),
        (["passed", "unclaimed"], "passed", "pass", 0),
        (["unclaimed", "unclaimed"], "unclaimed", "error", 2),
        (["unclaimed", "skipped"], "skipped", "error", 2),
        (["passed", "expected-failure"], "expected-failure", "known-faults", 0),
        (["passed", "skipped", "expected-failure"], "skipped", "partial", 0),
        (["skipped", "unexpected-pass"], "unexpected-pass", "fail", 1),
        (["unexpected-pass", "failed"], "failed", "fail", 1),
        (["passed", "failed", "skipped"], "failed", "fail", 1),
        (["failed", "error", "passed"], "error", "error", 2),
    ],
)
def test_the_worst_case_speaks_for_the_requirement(
    tmp_path: Path, outcomes: list[str], word: str, verdict: str, exit_code: int
) -> None:
    run = run_of(tmp_path, *one_mode(*outcomes))
    assert run.cells["cip-tcp-dnat"]["iptables"].word == word
    assert run.verdict("iptables") == verdict
    assert run.exit_code == exit_code


def test_each_mode_has_its_own_verdict(tmp_path: Path) -> None:
    run = run_of(
        tmp_path,
        sample.requirement(),
        sample.result(mode="iptables"),
        sample.result(mode="nftables", outcome="failed"),
    )
    assert run.verdicts == {"iptables": "pass", "nftables": "fail"}
    assert run.exit_code == 1


def test_a_mode_in_which_nothing_was_tested_is_an_error(tmp_path: Path) -> None:
    run = run_of(tmp_path, sample.requirement(), sample.result(mode="iptables"))
    assert run.verdicts == {"iptables": "pass", "nftables": "error"}
    assert run.faults("nftables") == ("nothing was tested",)
    assert run.exit_code == 2


def test_a_run_without_any_result_is_an_error(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    assert set(run.verdicts.values()) == {"error"}
    assert run.exit_code == 2


def test_a_proxy_in_another_mode_than_claimed_is_an_error(tmp_path: Path) -> None:
    wrong = sample.fingerprint("iptables", observed_mode="nftables")
    run = run_of(tmp_path, *one_mode("passed"), wrong, wrong)
    assert run.verdict("iptables") == "error"
    assert run.faults("iptables") == (
        "the proxy ran in nftables mode, not in iptables mode as claimed",
    )


def test_a_mode_that_cannot_be_observed_is_believed(tmp_path: Path) -> None:
    run = run_of(tmp_path, *one_mode("passed"), sample.fingerprint("iptables", observed_mode=None))
    assert run.verdict("iptables") == "pass"


def test_an_interrupted_run_is_an_error(tmp_path: Path) -> None:
    run = run_of(tmp_path, *one_mode("passed"), exit=2, interrupted=True)
    assert run.faults("iptables") == ("the run was interrupted",)
    assert run.exit_code == 2


@pytest.mark.parametrize(
    ("mode", "hit"), [(None, {"iptables", "nftables"}), ("nftables", {"nftables"})]
)
def test_an_error_of_the_run_is_one_of_its_modes(
    tmp_path: Path, mode: str | None, hit: set[str]
) -> None:
    run = run_of(
        tmp_path,
        sample.requirement(),
        sample.result(mode="iptables"),
        sample.result(mode="nftables"),
        {"type": "error", "mode": mode, "message": "etcd died\nits last words", "details": ""},
    )
    assert {m for m, verdict in run.verdicts.items() if verdict == "error"} == hit
    assert run.faults("nftables") == ("etcd died",)


def test_an_exit_code_that_no_result_explains_is_an_error(tmp_path: Path) -> None:
    run = run_of(tmp_path, *one_mode("passed"), exit=3)
    assert run.verdict("iptables") == "error"
    assert run.exit_code == 2
    assert "exit code 3" in run.errors[-1].message


def test_a_requirement_without_result_makes_the_verdict_partial(tmp_path: Path) -> None:
    run = run_of(tmp_path, *one_mode("passed"), sample.requirement("cip-udp-dnat"))
    assert run.cells["cip-udp-dnat"]["iptables"].word == "not-run"
    assert run.verdict("iptables") == "partial"


def test_the_inside_of_another_mode_does_not_matter(tmp_path: Path) -> None:
    run = run_of(tmp_path, *one_mode("passed"), sample.requirement("nft-maps", level="mode"))
    assert run.cells["nft-maps"]["iptables"].word == "not-applicable"
    assert run.verdict("iptables") == "pass"


def test_areas_count_requirements_not_cases(tmp_path: Path) -> None:
    sample.generate(tmp_path)
    run = read(tmp_path)
    assert run.areas["distribution"]["iptables"] == {"passed": 11, "failed": 1, "unclaimed": 1}
    assert run.areas["distribution"]["nftables"] == {"passed": 13}
    assert run.totals["nftables"].total() == len(run.requirements) == 84
    assert run.cells["lb-uniform"]["iptables"].counts == {"passed": 10, "failed": 2}


def test_values_survive_the_file(tmp_path: Path) -> None:
    measured = {
        "name": "latency",
        "unit": "s",
        "samples": [[0.001, 0.002], [0.003, float("inf")]],
        "p50": [0.001, 0.002],
    }
    tested = {"name": "uniform", "test": "G-test", "p": 1, "statistic": float("inf")}
    run = run_of(
        tmp_path,
        sample.requirement(),
        sample.result(measurements=[measured], statistics=[tested], details="\x1b[1;31mred\x1b[0m"),
    )
    (result,) = run.results
    assert result.measurements[0].samples == ((0.001, 0.002), (0.003, float("inf")))
    assert result.measurements[0].p99 is None
    assert result.statistics[0].p == 1.0
    assert result.statistics[0].statistic is None
    assert result.details == "red"


def test_requirements_are_in_the_order_of_reading(tmp_path: Path) -> None:
    named = [("b-2", "second"), ("a-2", "third"), ("b-1", "second"), ("c-1", "first")]
    ids = []
    for number, areas in enumerate((["third", "second"], [])):
        folder = tmp_path / str(number)
        folder.mkdir()
        lines = [sample.requirement(name, area=area) for name, area in named]
        lines += [sample.result(name) for name, _ in named]
        run = run_of(folder, sample.header(areas=areas), *lines)
        ids.append([each.id for each in run.requirements])
        assert list(run.areas) == list(dict.fromkeys(each.area for each in run.requirements))
    assert ids == [["a-2", "b-1", "b-2", "c-1"], ["c-1", "b-1", "b-2", "a-2"]]


def _drop_last(lines: list[bytes]) -> list[bytes]:
    return lines[:-1]


def _cut(lines: list[bytes]) -> list[bytes]:
    return [*lines[:-1], lines[-1][:40]]


def _drop_middle(lines: list[bytes]) -> list[bytes]:
    return lines[:2] + lines[3:]


def _garbage(lines: list[bytes]) -> list[bytes]:
    return [lines[0], b"\x00\x00\x00\n", *lines[1:]]


def _no_object(lines: list[bytes]) -> list[bytes]:
    return [lines[0], b"[]\n", *lines[1:]]


def _no_header(lines: list[bytes]) -> list[bytes]:
    return lines[1:]


def _nothing(lines: list[bytes]) -> list[bytes]:
    return lines[:0]


def _after_the_end(lines: list[bytes]) -> list[bytes]:
    return [*lines, lines[1]]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_drop_last, "has no footer in its last line"),
        (_cut, "its last line is cut off"),
        (_drop_middle, "has 2 lines before its footer, which counted 3"),
        (_garbage, "line 2: is no JSON"),
        (_no_object, "line 2: is no JSON object"),
        (_no_header, "has no header in its first line"),
        (_nothing, "is empty"),
        (_after_the_end, "has no footer in its last line"),
    ],
)
def test_a_file_that_is_not_whole_is_refused_in_one_line(
    tmp_path: Path, damage: Any, message: str
) -> None:
    path = sample.write(tmp_path, sample.requirement(), sample.result())
    path.write_bytes(b"".join(damage(path.read_bytes().splitlines(keepends=True))))
    with pytest.raises(ResultFileError, match=message) as caught:
        read(tmp_path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([sample.header(schema=2)], "has schema version 2, this program reads version 1"),
        ([sample.header(modes=[])], r"modes: array of length >= 1 is needed, not \[\]"),
        ([{"type": "gossip"}], "type: Invalid value 'gossip'"),
        ([{"no": "type"}], "type is missing"),
        (
            [sample.requirement(), sample.result(outcome="maybe")],
            "outcome: Invalid enum value 'maybe'",
        ),
        ([sample.requirement(level="nice")], "level: Invalid enum value 'nice'"),
        ([sample.result()], "requirement cip-tcp-dnat is described nowhere"),
        ([sample.requirement(), sample.result(mode="ipvs")], "mode ipvs is none of the run's"),
        ([sample.requirement(), sample.requirement(area="x")], "was described otherwise"),
        ([sample.requirement(), sample.result(seconds="1")], "seconds: float is needed, not '1'"),
        ([sample.requirement(), sample.result(seconds=True)], "seconds: float is needed, not True"),
        (
            [sample.requirement(), sample.result(statistics=[{"name": "x", "counts": ["1"]}])],
            r"statistics\[0\]\.counts\[0\]: float is needed, not '1'",
        ),
        (
            [
                sample.requirement(),
                sample.result(measurements=[{"name": "x", "unit": "s", "samples": [[1]]}]),
            ],
            r"samples\[0\]: array of length 2 is needed, not \[1\]",
        ),
    ],
)
def test_a_record_that_means_nothing_is_refused_in_one_line(
    tmp_path: Path, records: list[dict[str, Any]], message: str
) -> None:
    if records[0]["type" if "type" in records[0] else "no"] != "run":
        records = [sample.header(), *records]
    path = tmp_path / "results.jsonl"
    records = [*records, {"type": "end", "exit": 0, "lines": len(records)}]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    with pytest.raises(ResultFileError, match=message) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResultFileError, match="absent: no such file"):
        read(tmp_path / "absent")


# --- compressed, and edited by hand ---------------------------------------------------------------


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_a_compressed_file_reads_like_the_plain_one(
    tmp_path: Path, suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    plain = sample.generate(tmp_path / "plain")
    packed = tmp_path / f"results.jsonl{suffix}"
    packed.write_bytes(pack(plain.read_bytes()))
    assert read(packed) == read(plain) == read(tmp_path)
    assert valid(packed) > 100
    packed.write_bytes(pack(plain.read_bytes())[:-40])
    with pytest.raises(ResultFileError, match=f"is cut off or no {suffix} file"):
        read(packed)


def test_a_file_that_was_edited_is_refused(tmp_path: Path) -> None:
    path = sample.write(tmp_path, sample.requirement(), sample.result(outcome="failed"))
    path.write_text(path.read_text().replace('"failed"', '"passed"'))
    with pytest.raises(ResultFileError, match="is not what the run wrote"):
        read(path)


def test_files_from_before_there_were_digests_are_read(tmp_path: Path) -> None:
    path = sample.write(tmp_path, sample.requirement(), sample.result())
    path.write_text(re.sub(r',"digest":"sha256:[0-9a-f]+"', "", path.read_text()))
    assert "digest" not in path.read_text()
    assert read(path).verdict("iptables") == "pass"


def test_two_files_in_one_are_told_from_a_broken_one(tmp_path: Path) -> None:
    path = sample.write(tmp_path, sample.requirement(), sample.result())
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(ResultFileError, match=r"headers of 2 runs; join .* results merge"):
        read(path)


def test_a_folder_without_results_says_so(tmp_path: Path) -> None:
    with pytest.raises(ResultFileError, match=r"holds no results\.jsonl"):
        read(tmp_path)
