"""A testinfra backend that runs its commands in a network namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from testinfra.backend import base

from clusters.inspection.host import Host

if TYPE_CHECKING:
    from pathlib import Path


class NetnsBackend(base.BaseBackend):  # type: ignore[misc]  # testinfra publishes no types
    """Commands run where the tests run, but with the network of a namespace: `netns://name`.

    Only the network is another: files are those the tests see, /sys/class/net included. What
    iproute2, nft, iptables, conntrack and /proc/net tell is the namespace's.

    :param name: as `ip netns` knows it, or the path of a namespace file such as /proc/42/ns/net.
    """

    NAME = "netns"

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        self.path = name if "/" in name else f"/run/netns/{name}"
        super().__init__(name, *args, **kwargs)

    def run(self, command: str, *args: str, **kwargs: Any) -> base.CommandResult:  # noqa: ARG002
        """Run a shell command in the namespace; arguments are quoted and put in place of `%s`."""
        line = self.get_command(command, *args)
        result = self.run_local("nsenter --net=%s -- /bin/sh -c %s", self.path, line)
        result.command = self.encode(line)
        return result


def host(path: str | Path) -> Host:
    """The testinfra host of a network namespace, given by its name or its file."""
    return Host(NetnsBackend(str(path)))
