"""What the terminal says at the end of a run, to the letter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reports.model import wording
from reports.model.run import read
from reports.records.base import Interval
from reports.texts.terminal import summary
from tests.samples import run as sample

if TYPE_CHECKING:
    from pathlib import Path

EXPECTED = """\
kube-proxy v1.36.3 on namespace nodes

               iptables                                     nftables
affinity       17 pass, 1 expected failure, 1 not claimed   19 pass
clusterip      23 pass, 1 expected failure, 1 not claimed   23 pass, 1 FAIL, 1 expected failure
conntrack      6 pass, 1 UNEXPECTED PASS                    7 pass
distribution   11 pass, 1 FAIL, 1 not claimed               13 pass
iptables       7 pass                                       -
nftables       -                                            6 pass
sync           6 pass, 1 skipped                            6 pass, 1 skipped

Failures
  cip-unserved-port  nftables  FAIL, 4/12 cases: no answer <script>alert('x')</script> within 1 s...
  ct-restart-keep    iptables  UNEXPECTED PASS, 12/12 cases: listed as broken since v1.30
  lb-uniform         iptables  FAIL, 2/12 cases: the endpoints are not chosen uniformly

Expected failures
  aff-many-clients   iptables  1 case: xt_recent remembers 100 addresses per list (module paramet...
  cip-slice-relabel  iptables  12/12 cases: The first Service keeps the endpoints of a slice that...
  cip-slice-relabel  nftables  12/12 cases: The first Service keeps the endpoints of a slice that...

Skipped
  sync-apiserver-outage  iptables  1 case: the API server cannot be stopped here
  sync-apiserver-outage  nftables  1 case: the API server cannot be stopped here

iptables  FAIL     70 pass, 1 FAIL, 1 UNEXPECTED PASS, 2 expected failures, 1 skipped, 3 not claimed
nftables  FAIL     74 pass, 1 FAIL, 1 expected failure, 1 skipped

81 s, 1,541 cases, 132 statistical tests (false alarm <= 1.3e-5), seed 1234567
Report: results/latest/report.html"""


def test_the_summary_to_the_letter(tmp_path: Path) -> None:
    sample.generate(tmp_path)
    assert summary(read(tmp_path), report="results/latest/report.html") == EXPECTED


def test_colours_add_nothing_but_colours(tmp_path: Path) -> None:
    sample.generate(tmp_path)
    run = read(tmp_path)
    coloured = summary(run, colour=True)
    assert "\x1b[1;31mFAIL" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == summary(run)


def test_a_run_that_cannot_judge_says_why(tmp_path: Path) -> None:
    sample.write(
        tmp_path,
        sample.requirement(),
        sample.result(),
        {"type": "error", "mode": "nftables", "message": "kube-proxy died \u2013 exit status 1"},
        exit=2,
    )
    said = summary(read(tmp_path))
    assert "nftables  ERROR    kube-proxy died - exit status 1; nothing was tested" in said
    assert said.isascii()


def test_long_lists_and_lines_are_cut(tmp_path: Path) -> None:
    names = [f"cip-{number}" for number in range(30)]
    sample.write(
        tmp_path,
        sample.header(modes=["iptables"]),
        *(sample.requirement(name) for name in names),
        *(sample.result(name, outcome="failed", reason="long " * 50) for name in names),
        exit=1,
    )
    said = summary(read(tmp_path))
    assert "  and 10 more, in the report" in said
    assert max(map(len, said.splitlines())) == 100


def test_numbers_read_well() -> None:
    assert wording.number(None) == "-"
    assert wording.number(4000) == "4,000"
    assert wording.number(508.23456) == "508.2"
    assert wording.probability(3.14e-108) == "3.1e-108"
    assert wording.probability(1e-7) == "1e-7"
    assert wording.probability(0.4137) == "0.41"
    assert wording.probability(0.0) == "0"
    assert wording.duration(0.1234) == "0.12 s"
    assert wording.duration(81.2) == "81 s"
    assert wording.duration(725) == "12 min 5 s"
    assert wording.interval(Interval(0.0031, 0.0042), "s") == "3.1 to 4.2 ms"
    assert wording.interval(Interval(0.9, 1.2), "s") == "0.9 to 1.2 s"
    assert wording.interval(Interval(0.0, 0.0), "s") == "0 s"
    assert wording.interval(Interval(5, float("inf")), "s") == "> 5 s"
    assert wording.interval(Interval(3, 5), "rules") == "3 to 5 rules"
    assert wording.interval(Interval(0.728, 0.99995), "s") == "728 to 1,000 ms"
    assert wording.interval(Interval(30, 12345), "rules") == "30 to 12,300 rules"
    assert wording.interval(None, "s") == "-"
