"""What may go wrong that is no verdict: two families, and both end a run with exit code 2.

A test that fails an assertion says that the proxy is wrong; whatever else derives from
``SuiteError`` says that it was not asked rightly, or could not be. Every message is one line (or
one line and the end of a log) that says what is wrong and how to mend it.
"""

from __future__ import annotations

import contextlib
import re
from typing import Any


class SuiteError(Exception):
    """No verdict about the proxy."""


class BadInputError(SuiteError):
    """What was given to the suite makes no sense: whoever gave it can mend it."""


class CannotJudgeError(SuiteError):
    """What was asked for makes sense, but nothing could be judged here and now."""


# --- bad input ------------------------------------------------------------------------------------


class UsageError(BadInputError):
    """An option or a path of the command line makes no sense."""


class ImplementationError(BadInputError):
    """A file does not describe an implementation, or not what was asked of it."""


class CatalogueError(BadInputError):
    """The catalogue of requirements is not as it must be, or does not agree with the tests."""


class ManifestError(BadInputError):
    """A text holds no Kubernetes objects, or one that makes no sense; the message says where."""


class ResultFileError(BadInputError):
    """A result file cannot be read or written; the message says the way out, too."""


# --- nothing could be judged: before a run begins -------------------------------------------------


class SandboxError(CannotJudgeError):
    """The sandbox cannot be made here."""


class ArtifactError(CannotJudgeError):
    """Something that the suite runs cannot be had."""


# --- nothing could be judged: while nodes are brought up ------------------------------------------


class NetworkError(CannotJudgeError):
    """An interface, address or namespace could not be made; the message is iproute2's."""


class StartError(CannotJudgeError):
    """A program did not start or never became ready; the message ends with its log's last lines."""


class NodeError(CannotJudgeError):
    """A node is gone or answers no more; the message says what it said."""


class UnsupportedError(CannotJudgeError):
    """What a test wants cannot be done on a node of this kind: the test is skipped."""


# --- nothing could be judged: while tests run -----------------------------------------------------


class WireError(CannotJudgeError):
    """The wire itself failed or lost frames."""


class RefusedError(CannotJudgeError):
    """The API server refused a request with the HTTP status ``status``; the message is its own."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class SettleError(CannotJudgeError):
    """The proxy has not shown a change in time; the message ends with its log."""


class EndedError(SettleError, AssertionError):
    """The proxy has ended by itself, which is a verdict on the requirement that it did so in; the
    message ends with its log.
    """


class TimingError(CannotJudgeError):
    """The machine was too slow to tell on which side of a timeout a packet was."""


class LatencyError(CannotJudgeError):
    """A change was in force before it was written: nothing can be measured by it."""


class BudgetExceededError(CannotJudgeError):
    """More statistical tests were made than the run's false-alarm probability was divided by."""


class UnmeasurableError(CannotJudgeError):
    """A bench cannot measure ``mode`` (all of them where it is ``None``) at this size."""

    def __init__(self, mode: str | None, reason: str) -> None:
        super().__init__(reason)
        self.mode = mode


# --- wording --------------------------------------------------------------------------------------


def misfit(problem: Exception, value: Any) -> str:
    """What msgspec finds unfit in a value: ``place: what is wrong``."""
    what, _, place = str(problem).partition(" - at ")
    place = place.strip("`").removeprefix("$").removeprefix(".")
    with contextlib.suppress(LookupError, TypeError, ValueError):  # a place may be left open: [...]
        for name, at in re.findall(r"([^.\[\]]+)|\[(.+?)\]", place):
            value = value[int(at) if at else name]
    what = re.sub(r"^Object missing required field `(.+)`", r"\1 is missing", what)
    what = re.sub(r"^Object contains unknown field `(.+)`", r"\1 is unknown", what)
    if found := re.match(r"Expected `(.+?)`(.*?)(, got .+)?$", what):
        what = f"{found[1]}{found[2]} is needed, not {value!r:.60}"
    return f"{place}: {what}" if place else what
