"""A Docker, and the one of the machine's user where one runs."""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from specification.errors import ArtifactError

_USUAL = (Path("/var/run/docker.sock"), Path("/run/podman/podman.sock"))
"""Where engines listen when nobody says otherwise; podman's speaks Docker's language there."""


@dataclass
class Engine:
    """A Docker that listens at ``host``, such as ``unix:///run/docker.sock``; ``proc`` is where the
    processes of its machine are seen, and ``own`` tells whether it is the suite's.
    """

    host: str
    proc: Path
    own: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which kind, and ``docker``, use it."""
        return {**os.environ, "DOCKER_HOST": self.host}

    def docker(
        self,
        *argv: str,
        input: str | None = None,  # noqa: A002  (subprocess.run's word for it)
        check: bool = True,
        timeout: float = 60.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of ``docker``.

        Raises ArtifactError where there is no ``docker``, where it gives no answer in ``timeout``
        seconds or, if ``check`` holds, where it fails.
        """
        try:
            done = subprocess.run(
                ["docker", *argv],
                env=self.environment,
                input=input,
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout,
            )
        except FileNotFoundError:
            raise ArtifactError(
                "there is no docker command: apt-get install docker-cli, or docker.io where there"
                " is no such package"
            ) from None
        except subprocess.TimeoutExpired:
            raise ArtifactError(
                f"docker {argv[0]} gave no answer in {timeout:.0f} s: is {self.host} all right?"
            ) from None
        if check and done.returncode:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise ArtifactError(f"docker {argv[0]} failed: {last}")
        return done

    def holds(self, image: str) -> bool:
        """Whether it has an image of that name."""
        return not self.docker("image", "inspect", image, check=False).returncode


def find() -> str | None:
    """The Unix socket of the Docker, or podman, that runs here and that its user means; ``None``
    where none runs. Only outside the sandbox is it there.

    Raises ArtifactError where the environment names one that is not there or on another machine.
    """
    named = os.environ.get("DOCKER_HOST", "")
    if named:
        path = _local(named)
        if path is None:
            raise ArtifactError(
                f"DOCKER_HOST is {named}: the network of kind nodes is joined on this machine, so"
                " its Docker is needed; unset DOCKER_HOST"
            )
        if not answers(path):
            raise ArtifactError(
                f"nothing answers at {named}, which DOCKER_HOST names: start it, or unset"
                " DOCKER_HOST"
            )
        return str(path)
    places = [path for path in (_context(),) if path] + list(_USUAL)
    return next((str(path) for path in places if answers(path)), None)


def _context() -> Path | None:
    """The Unix socket of what ``docker context use`` has set."""
    argv = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return _local(done.stdout.strip())


def _local(address: str) -> Path | None:
    return Path(address.removeprefix("unix://")) if address.startswith("unix://") else None


def answers(path: Path) -> bool:
    """Whether an engine answers at a Unix socket."""
    try:
        with socket.socket(socket.AF_UNIX) as stream:
            stream.settimeout(5)
            stream.connect(str(path))
            stream.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in stream.recv(1024).partition(b"\r\n")[0]
    except OSError:
        return False
