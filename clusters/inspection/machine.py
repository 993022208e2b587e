"""A testinfra backend that runs its commands on a node's system, whatever that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from testinfra.backend import base

from clusters.inspection.host import Host

if TYPE_CHECKING:
    from clusters.contract import System


class MachineBackend(base.BaseBackend):  # type: ignore[misc]  # testinfra publishes no types
    """Commands run on ``system``."""

    NAME = "machine"

    def __init__(self, system: System) -> None:
        self._system = system
        super().__init__(system.name)

    def run(self, command: str, *args: str, **kwargs: Any) -> base.CommandResult:  # noqa: ARG002
        """Run a shell command; arguments are quoted and put in place of `%s`."""
        line = self.get_command(command, *args)
        done = self._system.run(["sh", "-c", line], check=False)
        return self.result(
            done.returncode, self.encode(line), done.stdout.encode(), done.stderr.encode()
        )


def host(system: System) -> Host:
    """The testinfra host of a node's system."""
    return Host(MachineBackend(system))
