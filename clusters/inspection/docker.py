"""A testinfra host that is a container of a Docker."""

from __future__ import annotations

from typing import Any

from testinfra.backend.docker import DockerBackend

from clusters.inspection.host import Host


def host(name: str, address: str) -> Host:
    """The testinfra host of the container ``name`` of the Docker that listens at ``address``, such
    as ``unix:///run/docker.sock``.
    """
    return Host(_Backend(name, address))


class _Backend(DockerBackend):  # type: ignore[misc]  # testinfra publishes no types
    """testinfra's own, for a Docker that need not be the one that ``docker`` asks by itself."""

    def __init__(self, name: str, address: str) -> None:
        self._address = address
        super().__init__(name)

    def run_local(self, command: str, *args: str) -> Any:
        """Run a command of ``docker`` there."""
        return super().run_local(f"DOCKER_HOST={self._address} {command}", *args)
