"""Command lines whose errors are one line; imports nothing but the standard library."""

from __future__ import annotations

import argparse
from typing import NoReturn

from specification.errors import UsageError


class Parser(argparse.ArgumentParser):
    """What takes a command line apart, and raises UsageError where it cannot."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and where help is."""
        raise UsageError(f"{message} ({self.prog} --help)")
