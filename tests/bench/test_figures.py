"""reports.records.figures: a bench's result file is read whole or not at all."""

from pathlib import Path
from typing import Any

import pytest
from jsonschema import ValidationError

from reports.model.bench import read
from reports.records.figures import FIGURES
from reports.texts.bench_terminal import summary
from specification.errors import ResultFileError
from tests.samples import bench as sample
from tests.samples.schemas import valid


def test_a_bench_is_read(tmp_path: Path) -> None:
    sample.write(tmp_path, sample.records())
    bench = read(tmp_path)
    assert bench.modes == ("iptables", "nftables")
    assert bench.sizes == (1, 100, 1000)
    found = bench.figure("first-packet", "nftables", 1000, "random")
    assert found is not None
    assert found.p50 == pytest.approx(11.0)
    assert bench.figure("floor", None, 100) is not None
    assert bench.figure("first-packet", "ipvs", 100, "random") is None
    assert {fit.law for fit in bench.fits if fit.mode == "iptables"} == {"linear"}
    assert {fit.law for fit in bench.fits if fit.mode == "nftables"} == {"constant"}
    assert all(400 < (each.services or 0) < 700 for each in bench.crossovers)


def test_a_sample_satisfies_the_published_schema(tmp_path: Path) -> None:
    sample.write(tmp_path, sample.records())
    assert valid(tmp_path / FIGURES) == len(sample.records()) + 1


def test_summary_tells_growth_and_marks_what_was_disturbed(tmp_path: Path) -> None:
    records = sample.records()
    records[2]["disturbed"] = True
    sample.write(tmp_path, records)
    told = summary(read(tmp_path))
    assert "first packet to random Services: iptables grows by 9" in told
    assert "first packet to random Services: nftables does not grow" in told
    assert "nftables is faster than iptables from about 5" in told
    assert "us*" in told
    assert "measured while other programs used the machine" in told
    assert "\x1b" not in told
    assert "\x1b" in summary(read(tmp_path), colour=True)


def broken(lines: list[dict[str, Any]], **member: Any) -> list[dict[str, Any]]:
    lines[1] |= member
    return lines


@pytest.mark.parametrize(
    ("lines", "footer", "message"),
    [
        pytest.param(sample.records(schema=2), {}, "schema version 2", id="newer schema"),
        pytest.param(sample.records(modes=[]), {}, "modes: array of length >= 1", id="no modes"),
        pytest.param(sample.records()[1:], {}, "no header", id="no header"),
        pytest.param(sample.records(), {"figures": 3}, "which counted 3", id="miscounted figures"),
        pytest.param(sample.records(), {"lines": 3}, "which counted 3", id="miscounted lines"),
        pytest.param(
            broken(sample.records(), p50="fast"),
            {},
            "p50: float . null is needed, not 'fast'",
            id="no number",
        ),
        pytest.param(
            broken(sample.records(), mode="ipvs"), {}, "none of the bench's modes", id="odd mode"
        ),
        pytest.param(
            broken(sample.records(), series="mine"),
            {},
            "series: Invalid enum value 'mine'",
            id="odd series",
        ),
        pytest.param(
            broken(sample.records(), type="guess"),
            {},
            "type: Invalid value 'guess'",
            id="odd record",
        ),
        pytest.param(
            [*sample.records(), sample.figure("floor", None, 1)], {}, "there twice", id="twice"
        ),
    ],
)
def test_bad_files_are_refused_in_one_line(
    tmp_path: Path, lines: list[dict[str, Any]], footer: dict[str, Any], message: str
) -> None:
    sample.write(tmp_path, lines, **footer)
    with pytest.raises(ResultFileError, match=message) as refused:
        read(tmp_path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("cut", [1, 200, 2000])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    path = sample.write(tmp_path, sample.records())
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(ResultFileError):
        read(tmp_path)


def test_an_edited_file_is_refused(tmp_path: Path) -> None:
    path = sample.write(tmp_path, sample.records())
    path.write_text(path.read_text().replace('"p50": 11.0', '"p50": 10.0', 1))
    with pytest.raises(ResultFileError, match="digest"):
        read(tmp_path)


def test_a_member_that_the_schema_does_not_know_is_refused(tmp_path: Path) -> None:
    sample.write(tmp_path, broken(sample.records(), guess=1))
    with pytest.raises(ResultFileError, match="guess is unknown"):
        read(tmp_path)
    with pytest.raises(ValidationError):
        valid(tmp_path / FIGURES)
