"""What `./conform` does once Python is there: prepare, choose the modes, and run pytest.

Imports nothing but the standard library: tox makes the environments that hold the rest.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from clusters import sandbox
from clusters.build import artifacts
from clusters.build.toolchain import locked
from clusters.vm import accelerator, kernel
from launch import doctor
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
  (none)      run the suite and write a report
  selftest    run the tests of the suite itself
  doctor      say what this machine can run; where it can't, why, and what to do about it
  list        list the requirements (--markdown: as CONFORMANCE.md); runs nothing
  bench       measure what each mode costs as Services grow (bench --help)
  compare     set modes, versions, proxies or kernels side by side; which mode to take
  gate        may this candidate be released? holds it against a baseline
  history     draw how verdicts and figures moved over the runs in a folder
  publish     write the conformance report that an implementer publishes (YAML)
  badge       draw the verdicts as a small SVG
  results     results merge: join the shards of one run
              the last six read result files and run nothing; each has its own --help
  kind-image  build a node image for kind where none can be pulled, into Docker or, where none runs,
              into one of the suite's own; needs root; prints its tag
  clean       remove what runs with kind left that were killed: clusters of the suite in Docker,
              containers, cgroups; never what is in use or somebody else's

what is tested:
  --modes MODE[,MODE]      only these modes: iptables, nftables, ipvs
  --implementation FILE    another proxy, described by a TOML file (see clusters/implementations)
  --proxy-binary FILE      this kube-proxy binary, of any version
  --proxy-version X.Y.Z    kube-proxy of this version, built into the cache
  --node KIND              what the node is: netns (a network namespace of this kernel), vm (a
                           virtual machine with a kernel of its own) or auto (vm where this kernel
                           lacks what a mode needs; the default)
  --provider kind          on real kind clusters, one for each mode: the kube-proxy that kubeadm
                           deployed there. Uses the Docker (or podman) and kind that are there;
                           where no Docker runs, one of the suite's own. Needs root
  --kind-image IMAGE       its node image; by default kind's own, and where no Docker runs the one
                           that ./conform kind-image builds
  --kubernetes-version X.Y.Z  kind's node image of that version
  --kind-cluster NAME      a kind cluster that is there, and is left as it is
  --kernel VERSION|FILE    the kernel of virtual machines: a packaged one (6.1), or a bzImage
  --modules FOLDER         with --kernel FILE: its modules, such as /lib/modules/6.12.0
  -k EXPRESSION            only requirements whose test names match
  PATH[::TEST]             only these tests, such as conformance/affinity/test_affinity.py

how:
  -n WORKERS               clusters side by side, each with its own control plane; {workers} here
  --every-case             run all cases of a requirement (families, protocols, vantages) on
                           emulated machines too; by default one there, chosen by the seed
  --seed NUMBER            repeat the random choices of an earlier run
  --keep                   stop at the first failure with its cluster alive, and say how to enter it
  --results FOLDER         where runs are written (default: results, beside this program)

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
  ./conform --proxy-binary ./kube-proxy --modes iptables
  ./conform selftest -k mutants
  ./conform compare results/latest
  ./conform bench --quick
  ./conform gate --baseline released.jsonl.xz results/latest
"""

READERS = frozenset({"compare", "gate", "history", "publish", "badge", "results"})
"""Commands that read result files, and are the business of ``reports`` altogether."""

KIND = frozenset({"kind-image", "clean"})
"""Commands about kind that run no test."""

COMMANDS = ("selftest", "doctor", "list", "bench", *sorted(READERS), *sorted(KIND))


def workers() -> int:
    """How many clusters run side by side, with 2 GiB of memory for each: as many as there are cores
    where machines are emulated, and one more elsewhere, since each waits now and then.
    """
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**31
    emulated = not doctor.has_ip_vs() and accelerator.emulates()
    return max(1, min((os.cpu_count() or 1) + (0 if emulated else 1), memory, 8))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (./conform --help)")


def _parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Split what the launcher looks at from what it hands on as it is."""
    parser = _Parser(prog="conform", add_help=False, allow_abbrev=False)
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("-n", "--numprocesses")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--pdb", action="store_true")
    for option in ("modes", "implementation", "proxy-binary", "proxy-version", "results"):
        parser.add_argument(f"--{option}")
    for option in (
        "kernel",
        "modules",
        "provider",
        "kind-image",
        "kind-cluster",
        "kubernetes-version",
    ):
        parser.add_argument(f"--{option}")
    return parser.parse_known_args(arguments)


def _option_or_path(word: str) -> bool:
    return word.startswith("-") or Path(word.partition("::")[0]).exists()


def _absolute(text: str) -> str:
    """A path as the caller's folder sees it: tox and pytest run in the project's."""
    return str(Path(text).absolute())


def _rest(rest: list[str]) -> list[str]:
    """Arguments for pytest, with tests that are named by path made absolute."""
    return [
        word if word.startswith("-") or not _option_or_path(word) else _absolute(word)
        for word in rest
    ]


def pytest_options(arguments: Sequence[str], *, command: str) -> list[str]:
    """The options for pytest that ``./conform [command] arguments`` stands for.

    Modes that this machine cannot run are left out, with a word about it, unless asked for.
    Raises UsageError when an option makes no sense or no mode can run.
    """
    known, rest = _parse(arguments)
    options: list[str] = []
    if known.proxy_binary and known.proxy_version:
        raise UsageError("--proxy-binary and --proxy-version name two proxies; give one of them")
    if known.proxy_binary:
        if not Path(known.proxy_binary).is_file():
            raise UsageError(f"--proxy-binary: there is no file {known.proxy_binary}")
        options += ["--proxy-binary", _absolute(known.proxy_binary)]
    if known.proxy_version:
        options += ["--proxy-version", known.proxy_version]
    if known.implementation:
        described = Path(known.implementation)
        name = _absolute(known.implementation) if described.exists() else known.implementation
        options += ["--implementation", name]
    if known.results:
        options += ["--results", _absolute(known.results)]
    if known.kernel:
        described = Path(known.kernel)
        options += ["--kernel", _absolute(known.kernel) if described.exists() else known.kernel]
    if known.modules:
        options += ["--modules", _absolute(known.modules)]
    for option in ("provider", "kind_image", "kind_cluster", "kubernetes_version"):
        if getattr(known, option):
            options += [f"--{option.replace('_', '-')}", getattr(known, option)]
    if known.modes:
        options += ["--modes", known.modes]
    elif command == "conform" and not (known.implementation or known.kind_cluster):
        modes = _runnable()
        if known.provider == "kind" and not doctor.has_ip_vs():  # its nodes share this kernel
            modes = [mode for mode in modes if mode != "ipvs"]
        options += ["--modes", ",".join(modes)]
    options += [f"--{flag}" for flag in ("keep", "pdb") if getattr(known, flag)]
    # A debugger, and a cluster to look into, want one process.
    alone = known.keep or known.pdb
    several = _modes_of(options) if known.provider == "kind" else workers()
    options += ["-n", known.numprocesses or ("0" if alone else str(several))]
    return options + _rest(rest)


def _modes_of(options: Sequence[str]) -> int:
    """How many modes options for pytest name: on kind, each has a cluster and a worker."""
    named = _parse(options)[0].modes
    return len(named.split(",")) if named else 1


def _runnable() -> list[str]:
    why = doctor.modes()
    runnable = [mode for mode, reason in why.items() if not reason]
    if not runnable:
        reasons = "; ".join(f"{mode}: {reason}" for mode, reason in why.items())
        raise UsageError(f"this machine can run no mode ({reasons}); ./conform doctor tells more")
    for mode, reason in why.items():
        if reason:
            print(f"conform: not in {mode} mode: {reason}", file=sys.stderr)
    return runnable


def _tox(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tox", "run", "-c", str(ROOT / "tox.ini"), *arguments]


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
    if _content(ready) == digest.hexdigest():
        return folder
    with locked(ROOT / ".tox" / f"{environment}.lock", "waiting: another run installs", sys.stderr):
        old = _content(ready)
        if old != digest.hexdigest():
            print(f"conform: installing the Python packages into {folder}", file=sys.stderr)
            again = ["--recreate"] if old else []
            done = subprocess.run(_tox("-qq", "-e", environment, "--notest", *again), check=False)
            if done.returncode:
                raise ArtifactError("the Python packages could not be installed; see above")
            ready.write_text(digest.hexdigest())
    return folder


def _content(file: Path) -> str:
    try:
        return file.read_text()
    except FileNotFoundError:
        return ""


def _command(arguments: list[str]) -> str:
    """Take the command off the arguments: `conform` where there is none."""
    first = arguments[0] if arguments else "-"
    if first in COMMANDS:
        return arguments.pop(0)
    if not _option_or_path(first):
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
        if command == "bench" or command in READERS:
            module = ["bench"] if command == "bench" else ["reports", command]
            python = _prepare("conform") / "bin" / "python"
            # -P: a folder called reports where the user stands is not what is meant.
            os.execv(python, [str(python), "-P", "-m", *module, *arguments])
        if _parse(arguments)[0].help:
            print(HELP.format(pinned=artifacts.PINNED, workers=workers()), end="")
            return 0
        if command == "doctor":
            return doctor.main()
        if command in KIND:
            return _kind(command, arguments)
        return _run(command, arguments)
    except SuiteError as problem:
        print(f"conform: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("conform: interrupted before anything was tested", file=sys.stderr)
        return 2


def _kind(command: str, arguments: list[str]) -> int:
    from clusters.kind import command as kind  # noqa: PLC0415  (nothing else here needs it)

    if arguments:
        raise UsageError(f"{command} takes no arguments (./conform --help)")
    return kind.clean() if command == "clean" else kind.make_image()


def _run(command: str, arguments: list[str]) -> int:
    if command == "list":
        python = _prepare("conform") / "bin" / "python"
        os.chdir(ROOT)
        form = "markdown" if "--markdown" in arguments else "text"
        rest = [argument for argument in arguments if argument != "--markdown"]
        pytest = [str(python), "-m", "pytest", "-c", "pyproject.toml"]
        os.execv(python, [*pytest, f"--list-requirements={form}", *rest])
    options = pytest_options(arguments, command=command)
    if command == "selftest":  # its tests have no network to fetch anything from
        options = ["-o", "testpaths=tests", *options]
        artifacts.ensure()
        if accelerator.program():
            kernel.packaged(progress=sys.stderr)
    programs, own = _prepare(command) / "bin", Path(sys.executable).parent
    os.environ["PATH"] = f"{programs}:{os.environ['PATH']}:{own}"  # uv, which installs Go, is ours
    os.environ["PYTHONUNBUFFERED"] = "1"  # what comes through a pipe comes at once
    return _delegate([str(programs / "python"), "-m", "pytest", "-c", "pyproject.toml", *options])


def _delegate(argv: list[str]) -> int:
    """Run a command that dies with this process, and translate its exit code to those of the help.

    Ctrl-C reaches it from the terminal too. What is sent to this process alone is passed on: it
    ends in order, and there is no verdict.
    """
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
    return 2 if interrupted or process.returncode not in {0, 1} else process.returncode


if __name__ == "__main__":
    sys.exit(main())
