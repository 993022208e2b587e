"""What a command line asks for, every option said once.

The fields of `Run` and `Bench` are the options of ``./conform`` and ``./conform bench``. From them
come the parsers (pytest's among them), the help, the checks, and the way back into a command line,
which is also the command that repeats a run, a bench, or one result.

Imports nothing but the standard library: the launcher works before anything is installed.
"""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from launch.arguments import Parser
from specification.errors import UsageError

WHAT, HOW = "what is tested:", "how:"
"""The sections of the help that list options."""

SOAK = "conformance/census/soak"
"""The tests that take hours: of nothing else is said how many."""


def option(text: str, metavar: str = "", default: Any = "", **more: Any) -> Any:
    """A field that is an option: its help, what stands there for its value (nothing: it is a flag).

    More is ``choices`` and ``type`` as argparse has them, and ``flags`` where they do not follow
    from the name; ``section`` of the help, ``None`` for none; ``once``: it does not matter to who
    repeats the run; ``pytest``: it is pytest's or xdist's own, and the field is called as there;
    ``again``: it may be given again, and its value is all that was.
    """
    metadata = {"text": text, "metavar": metavar, "section": WHAT, **more}
    return dataclasses.field(default=default if metavar else False, metadata=metadata)


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = 0.0
    if not 0 < hours < 1_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of hours")
    return hours


def positive(text: str) -> int:
    """A number above 0, as argparse wants it."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """What a run and a bench have in common: the proxy, the node, the seed."""

    COMMAND: ClassVar[tuple[str, ...]] = ("./conform",)

    modes: str = option("only these modes: iptables, nftables, ipvs", "MODE[,MODE]")
    implementation: str = option(
        "another proxy, described by a TOML file (see clusters/implementations)",
        "NAME|FILE",
        "kube-proxy",
    )
    proxy_binary: str = option("this kube-proxy binary, of any version", "FILE")
    proxy_version: str = option("kube-proxy of this version, built into the cache", "X.Y.Z")
    node: Literal["auto", "netns", "vm"] = option(
        "what the node is: netns (a network namespace of this kernel), vm (a virtual machine with a"
        " kernel of its own) or auto (vm where this kernel lacks what a mode needs; the default)",
        "KIND",
        "auto",
        choices=("auto", "netns", "vm"),
    )
    kernel: str = option(
        "the kernel of virtual machines: a packaged one (6.1), or a bzImage", "VERSION|FILE"
    )
    modules: str = option("with --kernel FILE: its modules, such as /lib/modules/6.12.0", "FOLDER")
    seed: int | None = option(
        "repeat the random choices of an earlier run", "NUMBER", None, type=int, section=HOW
    )
    results: str = option(
        "where runs are written (default: results, beside this program)",
        "FOLDER",
        section=HOW,
        once=True,
    )

    @property
    def written(self) -> Path:
        """The folder where runs are written."""
        return Path(self.results or Path(__file__).parents[1] / "results")

    @classmethod
    def declare(cls, add: Callable[..., object], *, own: bool = False) -> None:
        """Declare the options to a parser by its method ``add``; only the suite's ``own`` where the
        parser is pytest's.
        """
        for one in dataclasses.fields(cls):
            if not _flags(one) or (own and "pytest" in one.metadata):
                continue
            known = {key: one.metadata[key] for key in ("choices", "type") if key in one.metadata}
            if metavar := one.metadata["metavar"]:
                known |= {"metavar": metavar, "default": one.default}
                known |= {"action": "append", "default": []} if "again" in one.metadata else {}
            else:
                known["action"] = "store_true"
            add(*_flags(one), dest=one.name, help=one.metadata["text"], **known)

    @classmethod
    def parser(cls, **more: Any) -> argparse.ArgumentParser:
        """A parser of the options, which raises UsageError; ``more`` as argparse has it."""
        parser = Parser(prog=" ".join(cls.COMMAND), allow_abbrev=False, **more)
        cls.declare(parser.add_argument)
        return parser

    @classmethod
    def help(cls, section: str, **filled: object) -> str:
        """The options of a section, as ``./conform --help`` shows them."""
        lines = [section]
        for one in dataclasses.fields(cls):
            if one.metadata["section"] == section:
                usage = " ".join([*_flags(one)[:1], one.metadata["metavar"]])
                beside = f"  {usage:<25}" if len(usage) < 24 else f"  {usage}  "
                text = one.metadata["text"].format(**filled)
                lines += textwrap.wrap(text, 100, initial_indent=beside, subsequent_indent=" " * 27)
        return "\n".join(lines)

    @classmethod
    def of(cls, found: argparse.Namespace) -> Self:
        """What a parser has found."""
        given: dict[str, Any] = {}
        for one in dataclasses.fields(cls):
            kind: Any = type(one.default)
            value = getattr(found, one.name, None)
            if value is not None:
                given[one.name] = value if one.default is None else kind(value)
        return cls(**given)

    def resolved(self, folder: Path) -> Self:
        """The same for any folder, of what was given in ``folder``."""
        absolute: dict[str, Any] = {}
        for one in dataclasses.fields(self):
            value, metavar = getattr(self, one.name), one.metadata["metavar"]
            path = metavar.endswith("|FILE") and ("/" in value or (folder / value).is_file())
            if isinstance(value, tuple) and metavar == "FILE":
                absolute[one.name] = tuple(str((folder / each).absolute()) for each in value)
            elif value != one.default and (path or metavar in ("FILE", "FOLDER")):
                absolute[one.name] = str((folder / value).absolute())
        return dataclasses.replace(self, **absolute)

    def check(self) -> None:
        """Raise UsageError where options contradict each other."""
        for contradiction in self.contradictions():
            raise UsageError(contradiction)

    def contradictions(self) -> Iterator[str]:
        """What cannot be asked for together."""
        if self.proxy_binary and self.proxy_version:
            yield "--proxy-binary and --proxy-version name two proxies: give one of them"

    def argv(self) -> list[str]:
        """The words that say the same on a command line."""
        words: list[str] = []
        for one in dataclasses.fields(self):
            value = getattr(self, one.name)
            if isinstance(value, tuple):
                named = [_flags(one)[0]] if _flags(one) else []
                words += [word for each in value for word in (*named, each)]
            elif value != one.default:
                words += [_flags(one)[0]] if value is True else [_flags(one)[0], str(value)]
        return words

    def lasting(self) -> Self:
        """The same without what does not matter to who repeats it."""
        once: dict[str, Any] = {
            one.name: one.default for one in dataclasses.fields(self) if "once" in one.metadata
        }
        return dataclasses.replace(self, **once)

    def command(self) -> str:
        """The command for a shell."""
        return shlex.join([*self.COMMAND, *self.argv()])


def _flags(one: dataclasses.Field[Any]) -> tuple[str, ...]:
    flags: tuple[str, ...] = one.metadata.get("flags", (f"--{one.name.replace('_', '-')}",))
    return flags


@dataclass(frozen=True, kw_only=True)
class Run(Invocation):
    """What a run of the suite is asked to do."""

    provider: str = option(
        "kind: on real kind clusters, one for each mode: the kube-proxy that kubeadm deployed"
        " there. Uses the Docker (or podman) and kind that are there; where no Docker runs, one of"
        " the suite's own. Needs root. simulated: on nodes in memory, whose proxy is the"
        " specification: a test of the requirements, that needs no kernel, no privileges and no"
        " programs",
        "kind|simulated",
        "embedded",
        choices=("embedded", "kind", "simulated"),
    )
    kind_image: str = option(
        "its node image; by default kind's own, and where no Docker runs the one that ./conform"
        " kind-image builds",
        "IMAGE",
    )
    kubernetes_version: str = option("kind's node image of that version", "X.Y.Z")
    kind_cluster: str = option("a kind cluster that is there, and is left as it is", "NAME")
    keyword: str = option(
        "only requirements whose test names match", "EXPRESSION", flags=("-k",), pytest=True
    )
    markexpr: str = option("", "MARKS", flags=("-m",), pytest=True, section=None)
    numprocesses: str = option(
        "clusters side by side, each with its own control plane; {workers} here",
        "WORKERS",
        flags=("-n", "--numprocesses"),
        pytest=True,
        section=HOW,
        once=True,
    )
    every_case: bool = option(
        "run all cases of a requirement (families, protocols, vantages) on emulated machines too;"
        " by default one there, chosen by the seed",
        section=HOW,
    )
    hours: float | None = option(
        "with soak: how long each mode is soaked (default: 1)", "N", None, type=_hours, section=HOW
    )
    keep: bool = option(
        "stop at the first failure with its cluster alive, and say how to enter it",
        section=HOW,
        once=True,
    )
    coverage: bool = option(
        "tell, too, which functions and branches of kube-proxy the tests reach: it is built with"
        " Go's coverage then",
        section=HOW,
        once=True,
    )
    file_or_dir: tuple[str, ...] = option(
        "only these tests, such as conformance/affinity", "PATH[::TEST]", (), flags=(), pytest=True
    )

    @property
    def simulated(self) -> bool:
        """Whether it runs on nodes in memory."""
        return self.provider == "simulated"

    def contradictions(self) -> Iterator[str]:
        """See `Invocation`."""
        yield from super().contradictions()
        if self.simulated:
            yield from self._more_than_the_specification()
        if self.hours and self.simulated:
            yield "a node in memory has nothing that could leak: soak a real one"
        if self.coverage and self.proxy_binary:
            yield "--coverage needs a kube-proxy that is built for it, and no --proxy-binary"
        if self.coverage and self.provider != "embedded":
            yield f"--coverage does not go with --provider {self.provider}"
        if self.keep and self.numprocesses not in ("", "0"):
            yield "--keep needs a single process to stop in: give -n 0"
        for name in ("kind_image", "kind_cluster", "kubernetes_version"):
            if getattr(self, name) and self.provider != "kind":
                yield f"--{name.replace('_', '-')} goes with --provider kind"
        if self.provider == "kind" and (self.node != "auto" or self.kernel):
            yield "--node and --kernel do not go with --provider kind"
        if self.kind_image and self.kubernetes_version:
            yield "--kind-image and --kubernetes-version name two node images: give one of them"
        if self.kind_cluster and (self.kind_image or self.kubernetes_version):
            yield "a --kind-cluster has its node image: name none"

    def _more_than_the_specification(self) -> Iterator[str]:
        """What nodes in memory have no use for."""
        names = ("implementation", "proxy_binary", "proxy_version", "node", "kernel", "keep")
        for one in dataclasses.fields(self):
            if one.name in names and getattr(self, one.name) != one.default:
                yield f"{_flags(one)[0]} does not go with --provider simulated"

    def only(self, mode: str, test: str) -> Self:
        """The same for one test in one mode, in one process."""
        return dataclasses.replace(
            self.lasting(),
            modes=mode,
            keyword="",
            markexpr="",
            numprocesses="0",
            file_or_dir=(test,),
        )

    @classmethod
    def recorded(cls, command: str) -> Self:
        """What `command` was made of; what nobody knows any more is dropped.

        Raises ValueError where it is no such command.
        """
        words = shlex.split(command)
        if tuple(words[: len(cls.COMMAND)]) != cls.COMMAND:
            raise ValueError(f"no command of {' '.join(cls.COMMAND)}: {command!r}")
        found, rest = cls.parser(add_help=False).parse_known_args(words[len(cls.COMMAND) :])
        before = ["", *rest]
        tests = (each for each, last in zip(rest, before, strict=False) if last[:1] != "-")
        found.file_or_dir = [each for each in tests if each[:1] != "-"]
        return cls.of(found)


@dataclass(frozen=True, kw_only=True)
class Bench(Invocation):
    """What a bench is asked to measure."""

    COMMAND = ("./conform", "bench")

    node: Literal["netns", "vm"] = option(
        "what all nodes are: namespaces of this kernel, or virtual machines (for IPVS mode where"
        " this kernel has none; then all modes are measured so; where machines are emulated, with"
        " up to 1,000 Services)",
        "netns|vm",
        "netns",
        choices=("netns", "vm"),
    )
    quick: bool = option("1 to 1,000 Services, few repetitions: at most 4 minutes")
    full: bool = option("up to 30,000 Services, more repetitions: hours")
    services: str = option("other numbers of Services than the plan's", "N[,N]")
    probes: int | None = option("packets of each kind", "N", None, type=positive)
    repetitions: int | None = option("changes of each kind", "N", None, type=positive)
    minutes: int | None = option(
        "repeat things less often rather than take longer (quick: 4, else 25; no limit with --full"
        " and --services)",
        "N",
        None,
        type=positive,
    )
    resume: str = option("go on with this interrupted bench", "FOLDER", once=True)
    new: bool = option("begin anew, even where one like this was interrupted", once=True)

    @property
    def plan(self) -> str:
        """The name of the plan that is asked for."""
        return "quick" if self.quick else "full" if self.full else "default"

    @property
    def sizes(self) -> list[int]:
        """The numbers of Services that are asked for."""
        return [int(word) for word in self.services.split(",") if word]

    def contradictions(self) -> Iterator[str]:
        """See `Invocation`."""
        yield from super().contradictions()
        if self.quick and self.full:
            yield "--quick and --full name two plans: give one of them"
        if self.resume and self.new:
            yield "--resume goes on and --new begins anew: give one of them"
        words = [word for word in self.services.split(",") if word]
        if not all(word.isdecimal() and 1 <= int(word) <= 60_000 for word in words):
            yield f"--services {self.services!r}: give numbers from 1 to 60000, comma-separated"
