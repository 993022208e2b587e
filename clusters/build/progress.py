"""How far a long step is: one line, redrawn on a terminal, repeated now and then elsewhere."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import TextIO

REPEAT = 20.0
"""Seconds between two lines where the output is no terminal."""


def duration(seconds: float) -> str:
    """Seconds as people say them: ``41 s``, ``3 min 43 s``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class Progress:
    """A step that takes time, as a context manager; the last line tells how long it took.

    ``update()`` may be called as often as one likes; it writes no more than a reader wants to see.
    """

    def __init__(self, step: str, stream: TextIO | None = None) -> None:
        self.step = step
        self.stream = stream or sys.stderr
        self.terminal = self.stream.isatty()
        self.started = self.written = time.monotonic()

    def __enter__(self) -> Self:
        self._write("...")
        return self

    def update(self, detail: str = "") -> None:
        """Show the time that has passed, and ``detail`` behind it."""
        now = time.monotonic()
        if not self.terminal and now - self.written < REPEAT:
            return
        self.written = now
        text = duration(now - self.started)
        self._write(f"... {text}, {detail}" if detail else f"... {text}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        end = "failed after" if kind else "done in"
        self._write(f"{end} {duration(time.monotonic() - self.started)}", last=True)

    def _write(self, text: str, *, last: bool = False) -> None:
        if self.terminal:  # back to the first column, and clear what was there
            self.stream.write(f"\r\x1b[K{self.step}: {text}" + ("\n" if last else ""))
        else:
            self.stream.write(f"{self.step}: {text}\n")
        self.stream.flush()


def watch(
    process: subprocess.Popen[Any],
    end: Callable[[], None],
    step: Progress | None,
    detail: Callable[[], str] = str,
) -> None:
    """Wait until a process has ended, which ``end`` sees to where we are not to wait longer, and
    show ``step`` with its ``detail`` meanwhile.
    """
    with process:
        try:
            while process.poll() is None:
                try:
                    process.wait(timeout=1)
                except subprocess.TimeoutExpired:
                    if step:
                        step.update(detail())
        finally:
            end()
