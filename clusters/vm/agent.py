"""What a virtual machine runs: RPyC's own server, by which the suite uses its Python from outside.

It listens on the management wire, which nobody else is on.
"""

from __future__ import annotations

import os
import subprocess
import sys

from rpyc.core.service import SlaveService
from rpyc.utils.server import ThreadedServer


def run(argv: tuple[str, ...], text: str, timeout: float) -> tuple[int, str, str]:
    """Run a command to its end: exit code, output, errors. Here, because each use of a thing here
    by its name is a journey, and a machine may be slow.
    """
    done = subprocess.run(
        argv, input=text, capture_output=True, text=True, timeout=timeout, check=False
    )
    return done.returncode, done.stdout, done.stderr


def ended(process: int) -> int | None:
    """The exit code of a process that this one has started, as subprocess gives it; ``None`` where
    it runs.
    """
    found, status = os.waitpid(process, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def main(address: str, port: str) -> None:
    """Serve until the machine is switched off."""
    print("the agent is ready", flush=True)
    ThreadedServer(SlaveService, hostname=address, port=int(port)).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
