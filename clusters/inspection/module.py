"""What the modules have in common: typed access to testinfra's module machinery."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from testinfra.modules.base import InstanceModule

if TYPE_CHECKING:
    from typing import Self

    import testinfra.host


class Module(InstanceModule):  # type: ignore[misc]  # testinfra publishes no types
    """A testinfra module with one instance for each host (`host.nftables`)."""

    @classmethod
    def of(cls, host: testinfra.host.Host) -> Self:
        """The module of that host."""
        return cast("Self", cls.get_module(host))

    def output(self, command: str, *arguments: str) -> str:
        """What a command prints.

        :raises AssertionError: with all it printed, where it exits with another status than 0.
        """
        return cast("str", self.check_output(command, *arguments))
