"""A testinfra backend that runs its commands wherever somebody else can run one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from testinfra.backend import base

from clusters.inspection.host import Host

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Sequence


class MachineBackend(base.BaseBackend):  # type: ignore[misc]  # testinfra publishes no types
    """Commands run by ``run``, which takes an argument vector and returns what became of it."""

    NAME = "machine"

    def __init__(
        self, name: str, run: Callable[[Sequence[str]], subprocess.CompletedProcess[str]]
    ) -> None:
        self._run = run
        super().__init__(name)

    def run(self, command: str, *args: str, **kwargs: Any) -> base.CommandResult:  # noqa: ARG002
        """Run a shell command; arguments are quoted and put in place of `%s`."""
        line = self.get_command(command, *args)
        done = self._run(["sh", "-c", line])
        return self.result(
            done.returncode, self.encode(line), done.stdout.encode(), done.stderr.encode()
        )


def host(name: str, run: Callable[[Sequence[str]], subprocess.CompletedProcess[str]]) -> Host:
    """The testinfra host of a machine that ``run`` runs commands on."""
    return Host(MachineBackend(name, run))
