"""What a description cannot say of a proxy, a program of its author's does: a hook program.

It is started once for each worker's cluster, in the folder of the description, inside the sandbox.
It reads a JSON object a line on its standard input, ``{"call": NAME, ...}``, and answers each by a
line on its standard output: ``{"ok": {...}}`` or ``{"error": "what is wrong and how to mend it"}``.
What it prints on its standard error goes to a log. It ends, and takes down what is still up, when
its input ends. docs/your-own-proxy.md lists the calls.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from clusters.proxy import Program
from specification.addresses import FAMILIES
from specification.errors import CannotJudgeError, ImplementationError, StartError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clusters.contract import Node
    from clusters.embedded.namespace import Namespace
    from clusters.implementation import Implementation
    from specification.addresses import Family, IPAddress

PATIENCE: Final = 300.0
"""Seconds in which a call is to be answered: the proxy may have to compile something for it."""

_LONGEST: Final = 1 << 24  # bytes of an answer
_SUITE = Path(__file__).parents[2]


def check(implementation: Implementation) -> None:
    """Raise ImplementationError where an implementation's hook program is none that can be run."""
    if not implementation.hooks:
        return
    named = implementation.hooks[0]
    found = shutil.which(named, path=_path()) or shutil.which(implementation.path.parent / named)
    if not found:
        raise ImplementationError(f"{implementation.path}: hooks: there is no program {named}")


def _path() -> str:
    """Where a hook program is looked for, and looks itself: the suite's own Python comes first."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # a venv's: unresolved


class Hooks:
    """The hook program of an implementation, which runs until ``close``. Its log is in ``folder``.

    Raises (and ``call`` does) StartError, in one line: it cannot be started, has ended, answers
    with an error or with something else than the contract says, or not in time.
    """

    def __init__(self, implementation: Implementation, folder: Path) -> None:
        self._name = f"{implementation.name}'s hook program"
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "hooks.log"
        path = os.pathsep.join(filter(None, [str(_SUITE), os.environ.get("PYTHONPATH", "")]))
        self._pipe, theirs = socket.socketpair()
        try:
            with self._log.open("ab") as log, theirs:
                self._process = subprocess.Popen(
                    implementation.hooks,
                    cwd=implementation.path.parent,
                    env={
                        **os.environ,
                        "PYTHONPATH": path,
                        "PATH": _path(),
                    },
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=log,
                    start_new_session=True,  # a Ctrl-C is for the suite, which takes nodes down
                )
        except OSError as problem:
            self._pipe.close()
            raise StartError(f"{self._name} cannot be started: {problem}") from None
        self._rest = b""

    def call(self, name: str, timeout: float = PATIENCE, **request: Any) -> dict[str, Any]:
        """Have it do something, and return what it answers."""
        line = json.dumps({"call": name, **request}, default=str).encode() + b"\n"
        try:
            self._pipe.sendall(line)
        except OSError:
            raise self._problem(name, self._end()) from None
        return self._answer(name, timeout)

    def close(self) -> None:
        """Have it take down what is up, and end it."""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            self._pipe.shutdown(socket.SHUT_WR)
            self._process.wait(PATIENCE)
        self._process.kill()
        self._process.wait()
        self._pipe.close()

    def _answer(self, name: str, timeout: float) -> dict[str, Any]:
        line = self._line(name, timeout)
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        match answer:
            case {"ok": dict(told)}:
                return told
            case {"error": str(why)} if why:
                raise self._problem(name, why)
        self._process.kill()
        shown = line.decode(errors="replace")[:100]
        raise self._problem(name, f'answered {shown!r}, not {{"ok": ...}} or {{"error": ...}}')

    def _line(self, name: str, timeout: float) -> bytes:
        end = time.monotonic() + timeout
        while b"\n" not in self._rest:
            if len(self._rest) > _LONGEST:
                self._process.kill()  # what comes after it would be taken for another answer
                raise self._problem(name, f"answered more than {_LONGEST} bytes")
            self._pipe.settimeout(max(0.001, end - time.monotonic()))
            try:
                more = self._pipe.recv(1 << 16)
            except TimeoutError:
                self._process.kill()
                raise self._problem(name, f"has not answered after {timeout:.0f} s") from None
            except ConnectionResetError:  # it has ended with a request unread
                more = b""
            if not more:
                raise self._problem(name, self._end())
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        self._pipe.settimeout(None)
        return line

    def _end(self) -> str:
        """How it ended."""
        try:
            return f"has ended with exit code {self._process.wait(5)}"
        except subprocess.TimeoutExpired:
            return "has closed its output"

    def _problem(self, name: str, why: str) -> StartError:
        said = self._log.read_text(errors="replace").splitlines()[-1:]
        last = f"; the end of its log: {said[0]}" if said else ""
        return StartError(f"{self._name}: {name}: {' '.join(why.split())}{last}")


class HookedProgram(Program):
    """A proxy that is a program of its own on a node of this kernel, which a hook program makes
    ready for it.
    """

    def __init__(
        self,
        implementation: Implementation,
        mode: str,
        system: Namespace,
        values: Mapping[str, str],
        kubeconfig: str,
        *,
        hooks: Hooks,
        node: Node,
    ) -> None:
        super().__init__(implementation, mode, system, values, kubeconfig)
        self._hooks = hooks
        self._node = node
        self._pods: list[dict[str, str]] = []
        told = hooks.call(
            "node-up",
            node=node.name,
            mode=mode,
            netns=system.path,
            directory=self.directory,
            kubeconfig=self.directory / "kubeconfig",
            interfaces=system.interfaces,
            addresses={family: node.address(family) for family in FAMILIES},
        )
        try:
            system.enter_by([str(each) for each in told["enter"]])
            self._values |= {str(key): str(value) for key, value in told["values"].items()}
        except (KeyError, TypeError, AttributeError):
            hooks.call("node-down", node=node.name)
            raise StartError(
                f"{implementation.name}'s hook program: node-up: the answer needs a list enter and"
                f" a table values, not {told!r}"
            ) from None
        self._call("enter", pid=os.getpid())

    def start(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        wrapper: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        ready: bool = True,
    ) -> None:
        """See Proxy."""
        super().start(config, wrapper=wrapper, environment=environment, ready=ready)
        if ready and self._pods:
            self._call("pods", pods=self._pods)

    def announce(self, pods: Sequence[Mapping[Family, IPAddress]]) -> None:
        """See Proxy."""
        mac = self._node.wires["pod"].lab_mac.hex(":")
        fresh = [{**{family: str(each[family]) for family in each}, "mac": mac} for each in pods]
        self._pods += fresh
        if self.running:
            self._call("pods", pods=fresh)

    def rules(self, timeout: float = PATIENCE) -> str:
        """See Proxy."""
        try:
            return str(self._call("evidence", timeout=timeout).get("text", ""))
        except CannotJudgeError as problem:
            return f"{problem}\n"

    def close(self) -> None:
        """See Proxy."""
        self.kill()
        with contextlib.suppress(StartError):  # its own end takes the node down as well
            self._call("node-down")

    def _call(self, name: str, timeout: float = PATIENCE, **request: Any) -> dict[str, Any]:
        return self._hooks.call(name, timeout, node=self._node.name, **request)
