"""Long-running programs of a cluster: started with a log file, watched until ready, ended for
certain.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from specification.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from clusters.contract import Process

POLL = 0.01  # seconds between looks at something that announces itself by nothing but an answer


class LocalProcess(subprocess.Popen[bytes]):
    """A program on this machine, in a process group of its own, which prints into ``log``."""

    def __init__(
        self,
        argv: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        *,
        pass_fds: Sequence[int] = (),
    ) -> None:
        with log.open("ab") as output:
            super().__init__(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
                pass_fds=pass_fds,
            )

    def kill(self) -> None:
        """End the whole group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


class Daemon:
    """A program that is to go on running; ``start`` starts it, ``log`` is where it prints.

    Raises StartError where it cannot be started.
    """

    def __init__(self, name: str, start: Callable[[], Process], log: Path) -> None:
        self.name = name
        self.log = log
        self._log_start = log.stat().st_size if log.exists() else 0
        self._asked = False  # to end
        try:
            self._process = start()
        except OSError as problem:
            raise StartError(f"{name} cannot be started: {problem}") from None

    def __repr__(self) -> str:
        code = self._process.poll()
        state = "running" if code is None else f"ended with {code}"
        return f"<{self.name} {state}, pid {self._process.pid}>"

    @property
    def pid(self) -> int:
        """Process id where it runs."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the program has not ended yet."""
        return self._process.poll() is None

    @property
    def ended(self) -> str:
        """How it has ended although nobody asked it to; empty where it has not."""
        code = self._process.poll()
        if code is None or self._asked:
            return ""
        return f"has ended with exit code {code}; the end of its log:\n{self.last_lines()}"

    def last_lines(self, count: int = 12) -> str:
        """The end of what the program has logged since this start."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return "\n".join(log.read().decode(errors="replace").splitlines()[-count:])

    def wait_ready(self, ready: Callable[[], bool], timeout: float = 60.0) -> float:
        """Wait until ``ready()`` holds and return the seconds that took.

        Raises:
            StartError: the program ended, or is not ready after ``timeout`` seconds.
        """
        start = time.monotonic()
        while not ready():
            why = ""
            if (code := self._process.poll()) is not None:
                why = f"ended with exit code {code} before it was ready"
            elif time.monotonic() - start > timeout:
                why = f"was not ready after {timeout:.0f} s"
            if why:
                raise StartError(f"{self.name} {why}; the end of its log:\n{self.last_lines()}")
            time.sleep(POLL)
        return time.monotonic() - start

    def wait(self, timeout: float | None) -> int:
        """Wait for the end and return the exit code; ``subprocess.TimeoutExpired`` after
        ``timeout`` seconds.
        """
        return self._process.wait(timeout)

    def stop(self, timeout: float = 10.0) -> int:
        """Ask the program to end (SIGTERM), kill its process group after ``timeout`` seconds; the
        exit code.
        """
        self._asked = True
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        return self._process.wait()

    def kill(self) -> None:
        """End the program and its children at once (SIGKILL)."""
        self._asked = True
        self._process.kill()
        self._process.wait()


def answers(url: str) -> Callable[[], bool]:
    """A readiness check: whether ``url`` answers with a 2xx status."""

    def check() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310  (the implementation's own)
                return True
        except (urllib.error.URLError, OSError):
            return False

    return check
