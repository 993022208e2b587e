"""What is foretold is what is seen: random Services, served by kube-proxy in two modes, each of
them tried from everywhere. Where nothing is foretold nothing differs, and what differs is what was
foretold.
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Final

import pytest

from conformance.census.combinations import axes, imagined, shapes
from conformance.census.decision import Decision
from fixtures.lab.hosts import Hosts
from foretell import configuration, decisions, foretold, side
from foretell import shapes as seen_as
from foretell.shapes import NODE
from foretell.side import Side
from reports.model.run import read as read_run
from reports.records.decisions import Census, Verdict
from specification.addresses import family_of
from specification.places import ZONES
from specification.services import HEADLESS, ServiceSpec
from tests.conftest import ROOT, outside
from tests.foretell.cases import IN_MACHINES, LONGEST, Modes, bodies, read

FEW, ALL = 60, 500
"""Random Services, besides those that have every two things together."""
_ONE: Final = "conformance/census/combinations/test_protocols.py"
"""Any will do: they share the census."""
_ATTEMPT: Final = re.compile(
    r"(?P<protocol>\w+)/(?P<family>IPv\d) from (?P<vantage>[\w ]+?) to the (?P<kind>[\w -]+?)"
    r"(?: [\da-f.:]+)?, .*"
)
_VANTAGES: Final = {"a pod": "pod", "a pod elsewhere": "remote-pod", "outside": "outside"}
_WORDS: Final = {
    "refused": "refused by ICMP",
    "dropped": "dropped",
    "passed on": "passed on",
}

Where = tuple[str, str, str, str]
"""Protocol, family, vantage, kind of frontend."""
Pair = tuple[str, str]
"""What becomes of a connection in the one mode and in the other."""


def taken(folder: Path, modes: Modes, seed: int, services: int) -> dict[str, Census]:
    """The wide census of each mode, over wires."""
    argv = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-p", "no:cacheprovider"]
    options = ["-p", "tests.foretell.drawn", f"--modes={','.join(modes)}", "-n2", f"--seed={seed}"]
    done = subprocess.run(
        [
            *argv,
            *options,
            "--every-case",
            f"--results={folder}",
            "conformance/census/combinations",
            "-k",
            "not node",
        ],
        cwd=ROOT,
        env=outside() | {"SERVICES": str(services)},
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    run = read_run(folder / "latest")
    return {each.mode: each for each in run.censuses if each.name == "combinations"}


def of_service(census: Census) -> Iterator[tuple[str, Mapping[str, Verdict]]]:
    """Each Service with what was seen of it, by attempts."""
    for state in census.states:
        rows = {census.attempts[row.attempt]: census.verdicts[row.verdict] for row in state.rows}
        yield state.name, rows


def where(attempt: str) -> Where | None:
    """Where it was made; ``None`` for one by a process, which is made over UDP alone."""
    found = _ATTEMPT.fullmatch(attempt)
    assert found, attempt
    vantage = _VANTAGES.get(found["vantage"])
    kind = found["kind"].replace("-", " ")
    return (found["protocol"], found["family"], vantage, kind) if vantage else None


def foretelling(seen: Iterable[seen_as.Shape], before: Side, after: Side) -> dict[Where, set[Pair]]:
    """Where something is foretold, and what; an empty pair for what nobody foretells: what is seen
    of a fault that is known, or of what is left open.
    """
    found = dict[Where, set[Pair]]()
    shown = list(seen)
    for each in (each for shape in shown for each in decisions.differing(shape, before, after)):
        pair = foretold.in_words(each.was.allowed), foretold.in_words(each.will.allowed)
        found.setdefault(_where(each.was), set()).add(pair)
    unknown = [each for shape in shown for each in decisions.left_open(shape, before, after)]
    for one in (before, after):
        unknown += (
            decision
            for kind in foretold.known_faults(one)
            for shape in shown
            for decision in decisions.decided(shape, one)
            if not decision.allowed.undecided and kind(decision)
        )
    for decision in unknown:
        found.setdefault(_where(decision), set()).add(("", ""))
    return found


def _where(each: Decision) -> Where:
    attempt = each.attempt
    kind = foretold.words_of(each.frontend.kind)
    return attempt.protocol, family_of(attempt.target.address), each.vantage, kind


def _is_others(at: Where, web: ServiceSpec) -> bool:
    """Whether it was made at an external address of a family that the Service does not have: other
    Services have the same addresses, and what becomes of it follows from these.
    """
    return at[1] not in web.families and at[3] in ("external IP", "load balancer IP")


@pytest.fixture(scope="module")
def differences(
    modes: Modes, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Counter[tuple[Pair, frozenset[Pair]]]:
    """What was seen that is not the same in both modes, and what was foretold there; how often."""
    seed = pytestconfig.option.seed
    count = ALL if pytestconfig.option.every_mutant and IN_MACHINES not in modes else FEW
    found = taken(tmp_path_factory.mktemp("wire"), modes, seed, count)
    draw = random.Random(seed)
    rows = axes.covering(seed) + axes.drawn(count, draw)
    specs = shapes.services(rows, shapes.Cast.of(Hosts(), NODE))
    sides = [side.of(side.named(mode), configuration.NONE, ()) for mode in modes]
    both = [dict(of_service(found[mode])) for mode in modes]
    counted = Counter[tuple[Pair, frozenset[Pair]]]()
    for number, spec in enumerate(specs):
        if HEADLESS in spec.labels:
            continue
        (web,) = read(*bodies(imagined.stored(number, spec.named("web")), NODE)).services
        expected = foretelling(seen_as.seen_from(web, NODE, ZONES[0]), sides[0], sides[1])
        one, other = (each[f"wide-{number}"] for each in both)
        for attempt in one.keys() & other.keys():
            at = where(attempt)
            if at and not _is_others(at, web) and one[attempt].seen != other[attempt].seen:
                pair = one[attempt].seen, other[attempt].seen
                counted[pair, frozenset(expected.get(at, ()))] += 1
    assert sum(len(each.states) for each in found.values()) >= 2 * count
    return counted


def test_what_is_not_foretold_does_not_differ(
    differences: Counter[tuple[Pair, frozenset[Pair]]],
) -> None:
    surprises = {pair: count for (pair, told), count in differences.items() if not told}
    assert not surprises


def test_what_differs_is_what_was_foretold(
    differences: Counter[tuple[Pair, frozenset[Pair]]],
) -> None:
    assert differences, "nothing differs at all, so that nothing is shown"
    for (pair, told), count in differences.items():
        if told and ("", "") not in told:
            allowed = {
                (_WORDS.get(one, one), _WORDS.get(other, other))
                for was, will in told
                for one, other in product(was.split(" or "), will.split(" or "))
            }
            assert pair in allowed, f"{count} times"
