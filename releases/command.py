"""The command line of releases: have them, run what was not run yet, line them up."""

from __future__ import annotations

import dataclasses
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from clusters.implementation import load
from fixtures.record import fingerprint
from launch.launcher import delegate
from releases import job, joined, plan, printed, resume, shards
from releases.causes import Listed
from reports import render
from reports.model.releases import line_up
from reports.model.wording import duration
from reports.pages import releases_page
from reports.texts.releases import markdown, terminal
from specification.errors import CannotJudgeError, SuiteError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from releases.plan import Asked, Release
    from releases.shards import Shard

HTML: Final = "releases.html"
MARKDOWN: Final = "releases.md"

_ERROR: Final = 2
_ROOT: Final = Path(__file__).parents[1]
_RESULTS: Final = "results/releases"

HELP: Final = f"""\
usage: ./conform releases VERSION ... [--proxy-binary FILE ...] [PATH ...] [options]

Runs the suite for each of several releases of kube-proxy, in each mode, and tells what each of them
mended, broke and changed against the one before it in the order given (binaries come last), with
the source of each, and whether it is ready for what Kubernetes' own conformance tests will demand.

  VERSION                  such as 1.36.3; what is not in the cache is built before anything is run
  --proxy-binary FILE      a kube-proxy binary, of any other version (repeat)
  --modes MODE[,MODE]      (default: {plan.MODES})
  --seed NUMBER            the random choices of all runs (default: what follows from the suite's
                           commit, so that the same command goes on where it was interrupted)
  --results FOLDER         where runs and the page are written (default: {_RESULTS})
  PATH, -k EXPRESSION      only these tests
  -n, --node, --kernel ... as of any run: ./conform --help

on several machines, a shard for each release and mode (see docs/releases.md):
  --shards github          print a matrix for a GitHub workflow, in JSON; run nothing
  --shards job             print the manifest of a Kubernetes Indexed Job, a pod for each, in YAML
  --image NAME             with it: the image of the pods, built from the Containerfile
  --shard NUMBER           run this one alone, counted from 0; exit code 0: its results are there
  --print                  with it: its results as text, too, for who reads the log
  --from FOLDER            run nothing: join what the same command's shards have left there, result
                           files and logs (.log); every one must be there, once, and whole
  --prepare                run nothing: have everything that the runs need, as for an image

A release whose results are complete in the folder, by the same command, seed and program and by the
suite of the same commit, is not run again; one that was interrupted is.

results:
  FOLDER/{HTML} (works offline) and FOLDER/{MARKDOWN}; each run's own folder beside them.

exit codes:
  0  all that differs has a known cause, and nothing fails that is not listed
  1  something has no known cause
  2  bad input, a release could not be had or run, or a shard is missing; one line says what

examples:
  ./conform releases 1.34.4 1.36.3 1.37.2
  ./conform releases 1.36.3 --proxy-binary ./kube-proxy --modes nftables
  ./conform releases 1.31.0 1.32.2 conformance/conntrack
  ./conform releases 1.36.3 1.37.2 --shards job --image NAME | kubectl apply -f -
  ./conform releases 1.36.3 1.37.2 --from logs
"""


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; the exit code is one of those that the help names."""
    if not {"-h", "--help"}.isdisjoint(arguments):
        print(HELP, end="")
        return 0
    # a build that is told to end has its folders to take away, as after Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _releases(arguments)
    except SuiteError as problem:
        print(f"conform: {problem}", file=sys.stderr)
    except KeyboardInterrupt:
        print("conform: interrupted; the same command goes on with it", file=sys.stderr)
    return _ERROR


def _releases(arguments: Sequence[str]) -> int:
    commit = fingerprint.suite(_ROOT).commit
    asked = plan.parsed(arguments, Path.cwd(), results=_ROOT / _RESULTS).seeded(commit)
    if asked.prepared:
        shards.of(asked, commit)  # what can be no shard elsewhere is known now
        plan.prepare(asked)
        return 0
    if asked.shards:
        planned = shards.of(asked, commit)
        github = asked.shards == "github"
        text = shards.matrix(planned) if github else job.manifest(asked, planned, asked.image)
        print(text, flush=True)
        return 0
    if asked.shard is not None:
        return _shard(asked, shards.chosen(asked, commit), commit)
    if asked.left:
        return _lined_up(asked, joined.runs(asked, commit, asked.left))
    releases = plan.located(asked)
    files = [
        _judged(release, f"{number} of {len(releases)}", commit)
        for number, release in enumerate(releases, start=1)
    ]
    return _lined_up(asked, files)


def _shard(asked: Asked, shard: Shard, commit: str) -> int:
    """Run one alone; the exit code, which is no verdict."""
    one = dataclasses.replace(asked, run=shard.run, versions=(shard.run.proxy_version,))
    (release,) = plan.located(one)
    path = _judged(release, shard.told, commit)
    if asked.printed:
        print(printed.text(path), end="", flush=True)
    return 0


def _lined_up(asked: Asked, files: Sequence[Path]) -> int:
    """Hold the runs against each other, and write it down; the exit code."""
    found = line_up(files, Listed(load(asked.run.implementation)))
    folder = asked.run.written
    render.write(folder / HTML, releases_page.render(found, folder))
    render.write(folder / MARKDOWN, markdown.render(found))
    wrote = [str(folder / name) for name in (HTML, MARKDOWN)]
    print(terminal.summary(found, colour=sys.stdout.isatty(), wrote=wrote))
    return found.exit_code


def _judged(release: Release, which: str, commit: str) -> Path:
    """The result file of a release, run where there is none yet.

    Raises CannotJudgeError where its run was interrupted, or has left none.
    """
    told = f"releases: {which}, {release.told}"
    there = resume.complete(release)
    for path, run in reversed(there.items()):
        if commit and run.header.suite.commit == commit:
            print(f"{told}: has been run, see {path.parent}", flush=True)
            return path
    modes = release.run.modes.replace(",", " and ")
    print(f"{told}: runs in {modes} mode", flush=True)
    began = time.monotonic()
    delegate([str(_ROOT / "conform"), *release.run.argv()])
    new = [path for path in resume.complete(release) if path not in there]
    if not new:
        raise CannotJudgeError(
            f"{release.told} was not run to its end: see above; the same command goes on with it"
        )
    print(f"{told}: took {duration(time.monotonic() - began)}", flush=True)
    return new[-1]
