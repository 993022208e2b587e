"""A program that runs in a virtual machine."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from clusters.process import POLL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clusters.vm.connection import Connections

_LOOKS = 1.0  # seconds for which a program that runs is taken to go on running
_LOG = "/dev/virtio-ports/log"


class RemoteProcess:
    """A program in a machine, in a process group of its own, which prints into the machine's
    log.
    """

    def __init__(
        self, machine: Connections, argv: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        self._machine = machine
        self._looked = 0.0
        self._exit_code: int | None = None
        remote = machine.remote
        system = remote.modules.os
        self.pid: int = system.posix_spawnp(
            argv[0],
            tuple(argv),
            remote.builtins.dict(system.environ, **environment),
            file_actions=(
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, _LOG, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ),
            setsid=True,
        )

    def poll(self) -> int | None:
        """See Process; what ran a moment ago is taken to run still."""
        if self._exit_code is None and time.monotonic() - self._looked > _LOOKS:
            self._look()
        return self._exit_code

    def wait(self, timeout: float | None = None) -> int:
        """See Process."""
        start = time.monotonic()
        while (code := self._look()) is None:
            if timeout is not None and time.monotonic() - start > timeout:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(POLL)
        return code

    def terminate(self) -> None:
        """See Process."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """See Process."""
        self._signal(signal.SIGKILL)

    def _look(self) -> int | None:
        if self._exit_code is None:
            self._looked = time.monotonic()
            self._exit_code = self._machine.agent("ended")(self.pid)
        return self._exit_code

    def _signal(self, number: int) -> None:
        """Send a signal to the group: to its first process too where the others are to end."""
        if self._look() is None:
            self._machine.remote.modules.os.killpg(self.pid, int(number))
