"""A network namespace for one test, and the means to fill and inspect it."""

from __future__ import annotations

import subprocess
import textwrap
from typing import TYPE_CHECKING

import pytest

from clusters.inspection.host import Host
from clusters.inspection.netns import host as host_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def namespace() -> Iterator[str]:
    """The file of a network namespace that is gone, with all its rules, when the test is over."""
    program = "ip link set lo up; echo ready; exec sleep 600"
    with subprocess.Popen(
        ["unshare", "--net", "sh", "-c", program], stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != b"ready\n":
                pytest.skip("no permission to make a network namespace")
            yield f"/proc/{process.pid}/ns/net"
        finally:
            process.kill()


@pytest.fixture
def load(namespace: str) -> Callable[[str, str], None]:
    """Give a command a text to read, in the namespace."""

    def load(command: str, text: str) -> None:
        line = ["nsenter", f"--net={namespace}", *command.split()]
        subprocess.run(line, input=textwrap.dedent(text), text=True, check=True)

    return load


@pytest.fixture
def host(namespace: str) -> Host:
    return host_in(namespace)
