"""A kube-proxy that somebody looks after: who notes how it ends, by itself or at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import pytest

from conformance.vocabulary import Node, StartError, by_time

_SOON: Final = 240.0  # seconds within which what was told to a proxy should have ended it

_SUPERVISOR: Final = """
for each; do
    case $each in
        --config=*) cp "${each#--config=}" FILE ;;
    esac
done
rm -f FILE.code
"$0" --config=FILE
echo $? > FILE.code
exec sleep 86400
"""
"""Runs a program with a copy of its configuration, and stays when that has ended: nobody starts it
anew then.
"""


class Supervised:
    """A kube-proxy that has a configuration file of its own, at ``file`` on the node."""

    def __init__(self, node: Node, configuration: Mapping[str, Any] | None = None) -> None:
        """Start it and wait until it is ready."""
        self._node = node
        self.file = node.proxy.directory / "supervised.json"
        script = _SUPERVISOR.replace("FILE", str(self.file))
        self._log = node.proxy.log_position()
        node.proxy.start(configuration, wrapper=["sh", "-c", script])

    @property
    def log(self) -> str:
        """All that it has printed."""
        return self._node.proxy.log_since(self._log)

    @property
    def exit_code(self) -> int | None:
        """How it has ended; ``None`` while it runs."""
        shown = self._node.run(["cat", f"{self.file}.code"], check=False).stdout
        return int(shown) if shown.endswith("\n") else None

    def assert_ends(self, *words: str) -> None:
        """It ends by itself, with an error and with a line in its log that has all the words."""
        by_time("it has ended", lambda: self.exit_code is not None, _SOON)
        assert self.exit_code, "it has ended with exit code 0"
        named = [line for line in self.log.splitlines() if all(word in line for word in words)]
        assert named, f"no line of the log has {' and '.join(words)}:\n{self.log}"
        self._node.proxy.kill()


def ended_at_once(
    node: Node,
    *arguments: str,
    configuration: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> int:
    """How a kube-proxy ends that has these arguments besides, and with them does not stay: its exit
    code.
    """
    script = f'exec "$0" "$@" {" ".join(arguments)}'
    with pytest.raises(StartError, match=r"ended with exit code -?\d+") as problem:
        node.proxy.start(configuration, wrapper=["sh", "-c", script], environment=environment)
    code = re.search(r"exit code (-?\d+)", str(problem.value))
    return int(code[1]) if code else -1
