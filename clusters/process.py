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

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

POLL = 0.01  # seconds between looks at something that announces itself by nothing but an answer


class StartError(Exception):
    """A program did not start or never became ready; the message ends with the last lines of its
    log.
    """


class Daemon:
    """One running program, optionally in the network namespace of the path ``netns``."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        log: Path,
        *,
        netns: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self.argv = list(argv)
        enter = ["nsenter", f"--net={netns}", "--"] if netns else []
        with log.open("ab") as output:
            self._log_start = output.tell()
            try:
                self._process = subprocess.Popen(
                    [*enter, *self.argv],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **(environment or {})},
                    start_new_session=True,
                )
            except OSError as problem:
                raise StartError(f"{name} cannot be started: {problem}") from None

    def __repr__(self) -> str:
        state = "running" if self.running else f"ended with {self._process.returncode}"
        return f"<{self.name} {state}, pid {self._process.pid}>"

    @property
    def pid(self) -> int:
        """Process id inside the sandbox."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the program has not ended yet."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Exit code, negative for a signal, ``None`` while it runs."""
        return self._process.poll()

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
            if not self.running:
                raise StartError(
                    f"{self.name} ended with exit code {self.exit_code} before it was ready;"
                    f" the end of its log:\n{self.last_lines()}"
                )
            if time.monotonic() - start > timeout:
                raise StartError(
                    f"{self.name} was not ready after {timeout:.0f} s;"
                    f" the end of its log:\n{self.last_lines()}"
                )
            time.sleep(POLL)
        return time.monotonic() - start

    def wait(self, timeout: float) -> int:
        """Wait for the end and return the exit code; ``subprocess.TimeoutExpired`` after
        ``timeout`` seconds.
        """
        return self._process.wait(timeout)

    def stop(self, timeout: float = 10.0) -> int:
        """Ask the program to end (SIGTERM), kill its process group after ``timeout`` seconds; the
        exit code.
        """
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        return self._process.wait()

    def kill(self) -> None:
        """End the program and its children at once (SIGKILL)."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
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
