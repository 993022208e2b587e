"""What `./conform` does once Python is there: prepare, choose the modes, and run pytest.

Imports nothing but the standard library: tox makes the environments that hold the rest.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from clusters import sandbox
from clusters.build import artifacts
from clusters.build.cache import locked
from clusters.vm import accelerator, kernel
from launch import doctor
from launch.arguments import Parser
from launch.invocation import HOW, SOAK, WHAT, Run
from specification.errors import ArtifactError, SuiteError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[1]

HELP = """\
usage: ./conform [COMMAND] [options]

Says whether a Kubernetes Service proxy conforms: whether it turns Services and EndpointSlices into
the packet behaviour that Kubernetes promises. Without options it judges the real kube-proxy
{pinned} in every mode that this machine can run. The first run installs and builds what it needs
(some minutes). The host's own firewall and interfaces are never touched, and root is needed for
nothing but installing system packages.

commands:
  (none)      run the suite and write a report; where --implementation is given several times, one
              after another, and one report with a column for each of them and each of its modes
  selftest    run the tests of the suite itself, with an eighth of the broken proxies, by the seed;
              --every-mutant: with all of them; one that was interrupted goes on
  doctor      say what this machine can run; where it can't, why, and what to do about it
  list        list the requirements (--markdown: as CONFORMANCE.md, --json); runs nothing
  catalogue   count the rows of the catalogue of requirements that are tested and that are not, or
              the cases that other projects test (--peers); runs nothing (catalogue --help)
  check-implementation
              is what describes my Service proxy right? a line for each mistake; runs nothing
  bench       measure what each mode costs as Services grow (bench --help)
  soak        change Services for --hours, restart the proxy now and then: stays all right, does
              anything grow?
  releases    run several releases, and tell what each mended, broke and changed, and why; is it
              ready for what Kubernetes will demand? (releases --help)
  foretell    which of the Services in a file will be treated otherwise in another mode or release,
              and what is to be done? runs nothing (foretell --help)
  migrate     rehearse the switch from one mode to another under traffic: what becomes of it, what
              is left behind, in which order to go about it (migrate --help)
  compare     set modes, versions, proxies or kernels side by side; which mode to take
  table       write the table of implementations, versions and modes by areas: Markdown, SVG, HTML
  gate        may this candidate be released? holds it against a baseline
  history     draw how verdicts and figures moved over the runs in a folder
  publish     write the conformance report that an implementer publishes (YAML)
  badge       draw the verdicts as a small SVG
  results     results merge: join the shards of one run
              the last seven read result files and run nothing; each has its own --help
  kind-image  build a node image for kind where none can be pulled, into Docker or, where none runs,
              into one of the suite's own; needs root; prints its tag
  clean       remove what runs with kind left that were killed: clusters of the suite in Docker,
              containers, cgroups; never what is in use or somebody else's

{what}

{how}

Everything else is handed to pytest: -x, --lf, -v, --co, ...

results:
  results/latest leads to the newest run: report.html (works offline), results.jsonl (the facts, one
  JSON object a line), junit.xml, and a folder of evidence for every failure.

exit codes:
  0  conforms: every mode that ran passed
  1  does not conform: some requirement failed
  2  no verdict: bad input, or something could not be set up; one line says what

examples:
  ./conform
  ./conform --modes nftables -k affinity
  ./conform --modes iptables,nftables --node vm --kernel 6.1
  ./conform --proxy-version 1.34.4
  ./conform --provider kind --kubernetes-version 1.37.0
  ./conform --provider simulated
  ./conform --proxy-binary ./kube-proxy --modes iptables
  ./conform --implementation kube-proxy --implementation ./my-proxy.toml
  ./conform selftest -k mutants
  ./conform releases 1.34.4 1.36.3 1.37.2
  ./conform foretell --from ipvs --to nftables services.yaml
  ./conform migrate --from iptables --to nftables
  ./conform compare results/latest
  ./conform bench --quick
  ./conform gate --baseline released.jsonl.xz results/latest
"""

READERS = frozenset({"compare", "table", "gate", "history", "publish", "badge", "results"})
"""Commands that read result files, and are the business of ``reports`` altogether."""

KIND = frozenset({"kind-image", "clean"})
"""Commands about kind that run no test."""

MODULES = {
    "bench": ["bench"],
    "catalogue": ["fixtures.catalogue"],
    "check-implementation": ["fixtures.catalogue.implementation"],
    "foretell": ["foretell"],
    "migrate": ["migrate"],
    "releases": ["releases"],
    **{command: ["reports", command] for command in READERS},
}
"""Commands that are modules with options of their own, and the words that start each."""

COMMANDS = ("selftest", "soak", "doctor", "list", *sorted(MODULES), *sorted(KIND))


def workers() -> int:
    """How many clusters run side by side, with 2 GiB of memory for each: as many as there are cores
    where machines are emulated, and one more elsewhere, since each waits now and then.
    """
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**31
    emulated = not doctor.has_ip_vs() and accelerator.emulates()
    return max(1, min((os.cpu_count() or 1) + (0 if emulated else 1), memory, 8))


def _exists(word: str) -> bool:
    """Whether a word names a file, or a folder, of tests."""
    return Path(word.partition("::")[0]).exists()


def pytest_options(arguments: Sequence[str], *, command: str) -> list[str]:
    """The options for pytest that ``./conform [command] arguments`` stands for.

    Modes that this machine cannot run are left out, with a word about it, unless asked for.
    Raises UsageError when an option makes no sense or no mode can run.
    """
    found, rest = Run.parser(add_help=False).parse_known_args(arguments)
    asked = Run.of(found).resolved(Path.cwd())
    if command == "soak":
        asked, rest = replace(asked, hours=asked.hours or 1.0), [*rest, SOAK]
    asked.check()
    unsaid = not (asked.modes or asked.kind_cluster) and asked.implementation == "kube-proxy"
    if unsaid and command != "selftest" and not asked.simulated:
        asked = replace(asked, modes=",".join(runnable(asked.provider)))
    if not asked.numprocesses:
        # A debugger, and a cluster to look into, want one process; on kind each mode has one.
        several = len(asked.modes.split(",")) if asked.provider == "kind" else workers()
        alone = asked.keep or "--pdb" in rest
        asked = replace(asked, numprocesses="0" if alone else str(several))
    return asked.argv() + named(rest)


def named(words: Sequence[str]) -> list[str]:
    """What is handed to pytest as it is needed there: words that are paths are from the root."""
    return [from_root(word) if _exists(word) else word for word in words]


def from_root(word: str | Path) -> str:
    """A path as pytest needs it, which runs in the project's folder and not in the caller's."""
    path = Path(word).absolute()
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def runnable(provider: str) -> list[str]:
    """The modes of kube-proxy that this machine can run, with a word about the others.

    Raises UsageError where it can run none.
    """
    why = doctor.modes()
    modes = [mode for mode, reason in why.items() if not reason]
    if not modes:
        reasons = "; ".join(f"{mode}: {reason}" for mode, reason in why.items())
        raise UsageError(f"this machine can run no mode ({reasons}); ./conform doctor tells more")
    for mode, reason in why.items():
        if reason:
            print(f"conform: not in {mode} mode: {reason}", file=sys.stderr)
    if provider == "kind" and not doctor.has_ip_vs():  # its nodes share this kernel
        modes = [mode for mode in modes if mode != "ipvs"]
    return modes


def _prepare(environment: str) -> Path:
    """Have tox make an environment, once for any number of runs, and return its folder.

    tox does not notice a changed pyproject.toml, and two of it must not install side by side.
    """
    folder = ROOT / ".tox" / environment
    ready = folder / ".ready"
    digest = hashlib.sha256()
    lock = "dev.lock" if environment == "selftest" else "requirements.lock"
    for name in ("pyproject.toml", lock):
        digest.update((ROOT / name).read_bytes())
    if ready.exists() and ready.read_text() == digest.hexdigest():
        return folder
    with locked(ROOT / ".tox" / f"{environment}.lock", "waiting: another run installs", sys.stderr):
        old = ready.read_text() if ready.exists() else ""
        if old != digest.hexdigest():
            print(f"conform: installing the Python packages into {folder}", file=sys.stderr)
            again = ["--recreate"] if old else []
            tox = [sys.executable, "-m", "tox", "run", "-c", str(ROOT / "tox.ini"), "-qq"]
            done = subprocess.run([*tox, "-e", environment, "--notest", *again], check=False)
            if done.returncode:
                raise ArtifactError("the Python packages could not be installed; see above")
            ready.write_text(digest.hexdigest())
    return folder


def _command(arguments: list[str]) -> str:
    """Take the command off the arguments: `conform` where there is none."""
    first = arguments[0] if arguments else "-"
    if first in COMMANDS:
        return arguments.pop(0)
    if not (first.startswith("-") or _exists(first)):
        near = difflib.get_close_matches(first, COMMANDS, 1)
        guess = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"there is no command, file or folder {first}{guess} (./conform --help)")
    return "conform"


def main() -> int:
    """Run the command line; the exit codes are those that the help names."""
    os.environ.pop(
        "PYTHONPATH", None
    )  # it served to find this module, and is nobody else's business
    arguments = sys.argv[1:]
    try:
        command = _command(arguments)
        if command in MODULES:
            _one_implementation(command, arguments)
            _become(MODULES[command], arguments)
        if not {"-h", "--help"}.isdisjoint(arguments):
            how = Run.help(HOW, workers=workers())
            print(HELP.format(pinned=artifacts.PINNED, what=Run.help(WHAT), how=how), end="")
            return 0
        if command == "doctor":
            return doctor.main()
        if command in KIND:
            return _kind(command, arguments)
        if command == "conform" and _implementations(arguments) > 1:
            _become(["side_by_side"], arguments)
        _one_implementation(command, arguments)
        return _run(command, arguments)
    except SuiteError as problem:
        print(f"conform: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("conform: interrupted before anything was tested", file=sys.stderr)
        return 2


def _become(module: Sequence[str], arguments: Sequence[str]) -> NoReturn:
    """Go on as a module of the project, with the packages that it needs."""
    python = _prepare("conform") / "bin" / "python"
    # -P: a folder called reports where the user stands is not what is meant.
    os.execv(python, [str(python), "-P", "-m", *module, *arguments])


def _implementations(arguments: Sequence[str]) -> int:
    """How often an implementation is named."""
    parser = Parser(prog="./conform", add_help=False, allow_abbrev=False)
    parser.add_argument("--implementation", action="append", default=[])
    return len(parser.parse_known_args(arguments)[0].implementation)


def _one_implementation(command: str, arguments: Sequence[str]) -> None:
    """Refuse a second one where all but the last would go unnoticed."""
    if _implementations(arguments) > 1:
        raise UsageError(f"{command} is about one implementation: give --implementation once")


def _kind(command: str, arguments: list[str]) -> int:
    from clusters.kind import command as kind  # noqa: PLC0415  (nothing else here needs it)

    if arguments:
        raise UsageError(f"{command} takes no arguments (./conform --help)")
    return kind.clean() if command == "clean" else kind.make_image()


def _run(command: str, arguments: list[str]) -> int:
    if command == "list":
        python = _prepare("conform") / "bin" / "python"
        os.chdir(ROOT)
        form = next((f for f in ("markdown", "json") if f"--{f}" in arguments), "text")
        rest = [argument for argument in arguments if argument != f"--{form}"]
        pytest = [str(python), "-m", "pytest", "-c", "pyproject.toml"]
        os.execv(python, [*pytest, f"--list-requirements={form}", *rest])
    options = pytest_options(arguments, command=command)
    if command == "selftest":  # its tests have no network to fetch anything from
        options = ["-o", "testpaths=tests", *options]
        artifacts.ensure()
        artifacts.sources()
        if accelerator.program():
            kernel.packaged(progress=sys.stderr)
    environment = "selftest" if command == "selftest" else "conform"
    programs, own = _prepare(environment) / "bin", Path(sys.executable).parent
    os.environ["PATH"] = f"{programs}:{os.environ['PATH']}:{own}"  # uv, which installs Go, is ours
    os.environ["PYTHONUNBUFFERED"] = "1"  # what comes through a pipe comes at once
    return delegate([str(programs / "python"), "-m", "pytest", "-c", "pyproject.toml", *options])


def delegate(argv: list[str]) -> int:
    """Run a command as `attend` does, and translate its exit code to those of the help."""
    code = attend(argv)
    return 2 if code is None else code


def attend(argv: list[str]) -> int | None:
    """Run a command that dies with this process; its exit code, 2 for any that the help does not
    name, and ``None`` where it was interrupted.

    Ctrl-C reaches it from the terminal too. What is sent to this process alone is passed on: it
    ends in order, and there is no verdict.
    """
    if not hasattr(signal, "sigwaitinfo"):  # as on macOS, which cannot have it die with us, either
        done = subprocess.run(argv, cwd=ROOT, check=False)
        return done.returncode if done.returncode in {0, 1} else 2
    signals = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    interrupted = False

    def start() -> None:
        sandbox.die_with_parent()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    try:
        process = subprocess.Popen(argv, cwd=ROOT, preexec_fn=start)  # noqa: PLW1509
        while process.poll() is None:
            received = signal.sigwaitinfo(signals)
            if received.si_signo != signal.SIGCHLD:
                interrupted = True
                if received.si_code <= 0:  # by a process, no terminal (sigaction(2))
                    process.terminate()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if interrupted:
        return None
    return process.returncode if process.returncode in {0, 1} else 2


if __name__ == "__main__":
    sys.exit(main())
