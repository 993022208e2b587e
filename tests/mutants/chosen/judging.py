"""Judging mutants: some at once, or every one of a mode, as often interrupted as one likes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.mutants import UNMUTATED
from tests.mutants.chosen.journal import Journal, tree
from tests.mutants.chosen.share import batches
from tests.mutants.matrix import Kill
from tests.mutants.run import RESULTS, judge

BATCH: Final = 8
"""Mutants that are judged together where all are: so many are lost where that is interrupted."""


def judged(mode: str, names: Sequence[str], seed: int, *, few: bool = False) -> list[Kill]:
    """What became of these, and of the proxy that is not mutated; what they left is kept where that
    is not as it should be. With ``few`` a few requirements for each are tried, drawn by the seed.
    """
    RESULTS.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{mode}-", dir=RESULTS))
    kills = judge(mode, folder, (UNMUTATED.name, *names), seed=seed, few=few)
    if all(kill.right for kill in kills):
        shutil.rmtree(folder)
    return kills


def every(mode: str, names: Sequence[str], seed: int) -> list[Kill]:
    """What became of all of them, some at a time; where that was interrupted it goes on."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    journal, kills = Journal(RESULTS / f"judged-{mode}.jsonl", tree()), list[Kill]()
    for batch in batches(names, BATCH):
        found = journal.judged(batch)
        if found is None:
            found = judged(mode, batch, seed)
            if all(kill.right for kill in found):
                journal.add(batch, found)
        kills += found
    if all(kill.right for kill in kills):
        journal.end()
    wrong_last = sorted(kills, key=lambda kill: not kill.right)
    return list({(kill.mutant, kill.requirement): kill for kill in wrong_last}.values())
