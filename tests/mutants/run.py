"""Running the suite against mutants: modes of an implementation, as a user would run it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from clusters.implementation import FOLDER
from clusters.kind.image.archive import SEARCHED
from reports.model.run import read
from tests.clusters.kind import cgroups
from tests.conftest import ROOT, outside
from tests.described import toml_file
from tests.mutants import MUTANTS
from tests.mutants.between import api, tools
from tests.mutants.chosen import share
from tests.mutants.faults.shape import HEALTH_PORT
from tests.mutants.matrix import Kill
from tests.mutants.mutant import Mutant
from tests.mutants.program import build, plugin
from tests.mutants.shared import ON_KIND, name_of

RESULTS = ROOT / "results" / "selftest"
"""Where the kill matrix goes, and what is left of mutants that survived."""

TOOLS = {"iptables": ("iptables-restore", "ip6tables-restore"), "nftables": ("nft",)}
"""What programs the kernel in modes whose mutants alter text on its way."""

_KNOWN = "expected-failures.toml"
_DESCRIPTIONS = {"bpf": FOLDER / "cilium" / "cilium.toml"}
"""What describes the proxy of a mode, where that is not kube-proxy's."""

_UNSHRUNK = ("-p", "tests.mutants.unshrunk")
_TIMEOUT = 1800.0  # seconds: a census is taken anew for each of many mutants


class MutantError(Exception):
    """The run cannot tell whether mutants are noticed; the message ends as pytest did."""


def judge(
    mode: str,
    folder: Path,
    only: tuple[str, ...] = (),
    *,
    seed: int,
    kind: bool = False,
    few: bool = False,
) -> list[Kill]:
    """Run the requirements that are to kill each mutant of a mode, and say what came of it.

    ``folder`` takes wrappers, records and results; ``only`` names the mutants, all by default;
    ``seed`` is that of the run. With ``kind`` they are run on a kind cluster. With ``few`` it is a
    few of the requirements for each mutant, drawn by the seed too.

    Raises:
        MutantError: the run was cut short.
    """
    chosen = [mutant for mutant in MUTANTS[mode] if not only or mutant.name in only]
    if few:
        chosen = [share.of_its_killers(mutant, seed) for mutant in chosen]
    kills = list[Kill]()
    for part, together in _parts(chosen).items():
        (folder / part).mkdir()
        kills += _judge(mode, folder / part, together, seed=seed, kind=kind)
    return kills


def _parts(chosen: list[Mutant]) -> dict[str, list[Mutant]]:
    """Those that can be run together, each time with the proxy that is not mutated."""
    controls = [each for each in chosen if not each.killed_by]
    parts: dict[str, list[Mutant]] = {}
    for each in chosen:
        if each.killed_by:
            part = "in-program" if each.of == "program" else "outside"
            parts.setdefault(part, list(controls)).append(each)
    return parts


def _judge(mode: str, folder: Path, chosen: list[Mutant], *, seed: int, kind: bool) -> list[Kill]:
    """What came of mutants that are run together."""
    done = _pytest(mode, folder, chosen, f"--seed={seed}", kind=kind)
    results = folder / "latest" / "results.jsonl"
    if not results.exists():
        raise MutantError(
            f"pytest wrote no results and said:\n{(done.stdout + done.stderr)[-3000:]}"
        )
    run = read(results)
    if run.end.interrupted:
        raise MutantError(f"pytest was cut short and said:\n{(done.stdout + done.stderr)[-3000:]}")
    label, records = f"{mode} on kind" if kind else mode, folder / "records"
    return [
        Kill.of(
            label, mutant, requirement, name_of(mode, mutant), run, _record(records, mode, mutant)
        )
        for mutant in chosen
        for requirement in _requirements(mutant, chosen)
    ]


def cases(mode: str, folder: Path) -> list[str]:
    """The node ids of all that would be run with the mutants of a mode; nothing is."""
    found: list[str] = []
    for part, together in _parts(list(MUTANTS[mode])).items():
        (folder / part).mkdir()
        done = _pytest(mode, folder / part, together, "--collect-only", "-n0")
        found += [line for line in done.stdout.splitlines() if "::" in line]
    return found


def _pytest(
    mode: str, folder: Path, chosen: list[Mutant], *more: str, kind: bool = False
) -> subprocess.CompletedProcess[str]:
    """The suite's run with mutants, as pytest's options ``more`` change it."""
    records = folder / "records"
    records.mkdir()
    before: tuple[str, ...] = ()
    workers = 2
    environment = {
        "MUTANT_MODE": mode,
        "MUTANTS": ",".join(mutant.name for mutant in chosen),
        "MUTANT_RECORDS": str(records),
    }
    if kind:
        table = _implementation(mode)
        table["environment"] = {
            "PATH": f"{ON_KIND}/bin:{SEARCHED}",
            "MUTANT_SETTINGS": f"{ON_KIND}/settings",
        }
        options = ["-p", "tests.mutants.in_pods", *_UNSHRUNK, "--provider=kind"]
        before, workers = cgroups.THROUGH, 0
    elif any(mutant.of == "program" for mutant in chosen):
        table, options = _built(mode), ["-p", plugin.__name__, f"--modes={mode}"]
    elif mode in TOOLS:
        table = _wrapped(mode, chosen, _wrappers(mode, folder), records)
        options = [*_UNSHRUNK]
    elif mode in _DESCRIPTIONS:
        table, before = _implementation(mode), cgroups.THROUGH
        options = ["-p", "tests.mutants.maps.plugin"]
    else:
        table = _implementation(mode)
        options = ["-p", "tests.mutants.after_settle"]
    described = folder / f"mutants-of-{mode}.toml"
    described.write_text(toml_file({**table, "expected_failures": _KNOWN}))
    (folder / _KNOWN).write_text(_known(mode))
    return subprocess.run(
        [
            *before,
            sys.executable,
            "-m",
            "pytest",
            "conformance",
            *options,
            f"--implementation={described}",
            f"--results={folder}",
            "-k",
            " or ".join(_selection(mode, mutant, chosen) for mutant in chosen),
            "--quiet",
            "--tb=line",
            f"-n{workers}",
            *more,
        ],
        cwd=ROOT,
        env=outside() | environment,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )


def _requirements(mutant: Mutant, chosen: list[Mutant]) -> list[str]:
    """What the mutant is judged by; an unmutated proxy by all that shall kill those of its mode."""
    every = [requirement for each in chosen for requirement in each.killed_by]
    return list(mutant.killed_by or dict.fromkeys(every))


def _selection(mode: str, mutant: Mutant, chosen: list[Mutant]) -> str:
    """The cases of one mutant's run, as -k takes them: all that kill a mutant, or any of them."""
    cases = {_cases(each) for each in ([mutant] if mutant.killed_by else chosen) if each.killed_by}
    return f"({name_of(mode, mutant)} and ({' or '.join(sorted(cases))}))"


def _cases(mutant: Mutant) -> str:
    requirements = f"({' or '.join(mutant.killed_by)})"
    return f"({requirements} and {mutant.cases})" if mutant.cases else requirements


def _record(records: Path, mode: str, mutant: Mutant) -> list[str]:
    path = records / name_of(mode, mutant)
    return path.read_text().splitlines() if path.exists() else []


def _wrappers(mode: str, folder: Path) -> Path:
    """A folder with the programs that stand for the tools; reads go to the real ones directly."""
    programs = folder / "bin"
    programs.mkdir()
    for tool in TOOLS[mode]:
        real = shutil.which(tool)
        if real is None:
            raise MutantError(f"there is no {tool} on PATH")
        program = programs / tool
        program.write_text(as_program(real, [sys.executable, "-I", "-S", tools.__file__]))
        program.chmod(0o755)
    return programs


def as_program(real: str, through: list[str]) -> str:
    """A script that stands for the tool ``real``: it hands over what is to be programmed
    ``through`` the wrapper, as that is called.
    """
    return (
        "#!/bin/sh\n"
        'case "$*" in\n'
        f'"-f -" | *--noflush*) exec {shlex.join([*through, real])} "$@" ;;\n'
        f'*) exec {shlex.quote(real)} "$@" ;;\n'
        "esac\n"
    )


def _described(mode: str) -> Path:
    """What describes the proxy that is mutated, as its author wrote it."""
    return _DESCRIPTIONS.get(mode, FOLDER / "kube-proxy.toml")


def _implementation(mode: str) -> dict[str, Any]:
    """The proxy's own description, with nothing but this mode."""
    table = tomllib.loads(_described(mode).read_text())
    table.pop("expected_failures")  # a run of mutants has a list of its own
    table.pop("lacking", None)  # of releases that are not mutated; perhaps of modes that are gone
    table["name"] += f", mutated, in {mode} mode"
    table["modes"] = {mode: table["modes"][mode]}
    return table


def _known(mode: str) -> str:
    """What the proxy is known to break in a mode, as a list of its own, for requirements that know
    of other ones' faults; without those that are to kill a mutant, which nothing is to excuse.
    """
    killers = {each for mutant in MUTANTS[mode] for each in mutant.killed_by}
    described = _described(mode)
    path = described.parent / tomllib.loads(described.read_text())["expected_failures"]
    known = [
        {key: value for key, value in entry.items() if key != "modes"}
        for entry in tomllib.loads(path.read_text())["expected"]
        if mode in entry.get("modes", [mode]) and entry["requirement"] not in killers
    ]
    return toml_file({"expected": known})


def _wrapped(mode: str, chosen: list[Mutant], programs: Path, records: Path) -> dict[str, Any]:
    """kube-proxy's description with wrappers on its PATH, and a mode for each mutant."""
    table = _implementation(mode)
    configuration = table["files"]["config.json"]
    configuration["mode"] = mode
    configuration["healthzBindAddress"] = f"[::]:{HEALTH_PORT}"  # for mutants that leak
    configuration["clientConnection"]["kubeconfig"] = "{directory}/kubeconfig-between"
    python = [sys.executable, "-I", "-S", api.__file__]
    table["argv"] = [*python, "{kubeconfig}", "{directory}/kubeconfig-between", *table["argv"]]
    table["environment"] = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "MUTANT": "{mode}",
        "MUTANT_MEMORY": "{directory}",
        "MUTANT_RECORD": f"{records}/{{mode}}",
    }
    table["modes"] = {
        name_of(mode, mutant): {
            **table["modes"][mode],
            "present": [
                "sh",
                "-c",
                f"[ {{mode}} = {name_of(mode, mutant)} ] && [ -s {records}/{{mode}} ]",
            ],
        }
        for mutant in chosen
    }
    return table


def _built(mode: str) -> dict[str, Any]:
    """kube-proxy's description, with all modes and with the program that has all faults."""
    table = _implementation(mode)
    table["modes"] = tomllib.loads((FOLDER / "kube-proxy.toml").read_text())["modes"]
    del table["artifact"]
    table["binary"] = str(build.binary())
    settings = f"{{directory}}/{plugin.SETTINGS}"
    table["environment"] = {"MUTANT_SETTINGS": settings}
    table["cleanup"] = ["env", f"MUTANT_SETTINGS={settings}", *table["cleanup"]]
    return table
