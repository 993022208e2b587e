"""What is chosen of the mutants, and how a run of all of them goes on."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest

from tests.mutants import MUTANTS, UNMUTATED
from tests.mutants.chosen import judging
from tests.mutants.chosen.journal import Journal, tree
from tests.mutants.chosen.share import KILLERS, PARTS, batches, kind_of, of_its_killers, share
from tests.mutants.matrix import KILLED, Kill

SEEDS = range(1000)

KILLS = [Kill("iptables", "leak", "it leaks", "cip-delete", KILLED, 1, 2, "it did", 0.5, 3)]


@pytest.mark.parametrize("mode", MUTANTS)
def test_a_share_has_mutants_of_each_kind(mode: str) -> None:
    every = MUTANTS[mode][1:]
    kinds = {kind_of(each) for each in every}
    for seed in SEEDS:
        chosen = share(every, kind_of, seed)
        assert {kind_of(each) for each in chosen} == kinds
        assert len(chosen) <= len(every) / PARTS + len(kinds)


@pytest.mark.parametrize("mode", MUTANTS)
def test_every_mutant_is_in_every_eighth_share(mode: str) -> None:
    every = MUTANTS[mode][1:]
    counts = Counter(each.name for seed in SEEDS for each in share(every, kind_of, seed))
    expected = len(SEEDS) / PARTS
    few = expected - 5 * math.sqrt(expected)
    assert {each.name: counts[each.name] for each in every if counts[each.name] < few} == {}


def test_a_seed_repeats_its_share() -> None:
    numbers = range(100)
    first, again, other = (share(numbers, lambda each: str(each % 4), seed) for seed in (1, 1, 2))
    assert first == again != other
    assert first == sorted(first)


def test_mutants_of_a_kind_are_made_by_one_module() -> None:
    kinds = {kind_of(each) for mode in MUTANTS for each in MUTANTS[mode][1:]}
    assert all(kind.startswith("tests.mutants.faults.") for kind in kinds)
    assert len(kinds) > 4


def test_names_come_in_batches() -> None:
    assert list(batches(["a", "b", "c"], 2)) == [("a", "b"), ("c",)]


def test_what_was_judged_is_not_judged_again(tmp_path: Path) -> None:
    path = tmp_path / "judged.jsonl"
    assert Journal(path, "now").judged(["leak"]) is None
    Journal(path, "now").add(["leak"], KILLS)
    with path.open("a") as file:
        file.write('{"tree": "now", "na')
    assert Journal(path, "now").judged(["leak"]) == KILLS
    assert Journal(path, "now").judged(["leak", "other"]) is None
    assert Journal(path, "then").judged(["leak"]) is None
    Journal(path, "now").end()
    assert Journal(path, "now").judged(["leak"]) is None


def test_the_tree_is_known_by_what_is_in_it() -> None:
    assert tree() == tree()


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Whom a judge was asked about who is interrupted at the third batch, for the first time."""
    names: list[tuple[str, ...]] = []

    def judge(
        mode: str, folder: Path, only: tuple[str, ...], *, seed: int, few: bool
    ) -> list[Kill]:
        assert not few  # all of the requirements
        assert seed == 7
        names.append(only)
        if len(names) == 3:
            raise KeyboardInterrupt
        return [KILLS[0]._replace(mode=mode, mutant=each) for each in only]

    monkeypatch.setattr(judging, "judge", judge)
    monkeypatch.setattr(judging, "RESULTS", tmp_path)
    monkeypatch.setattr(judging, "tree", lambda: "now")
    return names


def test_a_run_of_every_mutant_that_was_interrupted_goes_on(asked: list[tuple[str, ...]]) -> None:
    names = [f"m{number}" for number in range(3 * judging.BATCH)]
    with pytest.raises(KeyboardInterrupt):
        judging.every("iptables", names, 7)
    found = judging.every("iptables", names, 7)
    assert [each[1] for each in asked] == ["m0", f"m{judging.BATCH}"] + ["m16"] * 2
    assert all(each[0] == "unmutated" for each in asked)
    assert [kill.mutant for kill in found] == [
        "unmutated" if number < 0 else names[number] for number in range(-1, len(names))
    ]
    judging.every("iptables", names, 7)
    assert len(asked) == 7, "it began anew"


def test_a_mutant_of_a_share_keeps_a_few_killers_in_their_order() -> None:
    many = UNMUTATED._replace(name="many", killed_by=tuple("abcdefgh"))
    drawn = {of_its_killers(many, seed).killed_by for seed in range(40)}
    assert {len(each) for each in drawn} == {KILLERS}
    assert all(list(each) == sorted(each) for each in drawn)
    assert {killer for each in drawn for killer in each} == set(many.killed_by)
    assert of_its_killers(many, 3) == of_its_killers(many, 3)
    assert of_its_killers(UNMUTATED, 3) == UNMUTATED
