"""How a virtual machine is reached from outside: by RPyC's server in it (clusters.vm.agent)."""

from __future__ import annotations

import contextlib
import inspect
import os
import socket
import threading
from typing import TYPE_CHECKING, Any

import rpyc
from rpyc.core.service import MasterService
from rpyc.core.stream import SocketStream

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from specification.errors import NodeError

PORT = 18812
"""Where the agent listens."""

_CONNECT_TIMEOUT = 20.0
_CALL_TIMEOUT = 120.0  # seconds for one call: longer than anything that is run to its end


def connect(address: str, *, timeout: float) -> Any:
    """A connection to the agent of the machine with that address: ``connect(...).modules.os`` is
    the machine's ``os``. It serves one thread.

    Raises OSError where none is there within ``timeout`` seconds.
    """
    link = socket.create_connection((address, PORT), timeout=timeout)
    link.settimeout(None)
    settings = {"sync_request_timeout": _CALL_TIMEOUT}
    return rpyc.connect_stream(SocketStream(link), MasterService, settings)


class Connections:
    """Connections to the agent of one machine, one for each thread that asks; ``check`` raises
    NodeError where the machine has ended, and ``lost`` makes one of what prevents a connection.
    """

    def __init__(
        self, address: str, check: Callable[[], None], lost: Callable[[OSError], NodeError]
    ) -> None:
        self._address = address
        self._check = check
        self._lost = lost
        self._here = threading.local()
        self._made: list[Any] = []

    @property
    def remote(self) -> Any:
        """The calling thread's connection: ``remote.modules.os`` is the machine's ``os``."""
        connection = getattr(self._here, "connection", None)
        if connection is None or connection.closed:
            self._check()
            try:
                connection = connect(self._address, timeout=_CONNECT_TIMEOUT)
            except OSError as problem:
                raise self._lost(problem) from None
            self._made.append(connection)
            self._here.connection, self._here.functions = connection, {}
        return connection

    def agent(self, name: str) -> Callable[..., Any]:
        """The agent's function of that name, which was looked up once."""
        remote = self.remote
        functions: dict[str, Callable[..., Any]] = self._here.functions
        if name not in functions:
            functions[name] = getattr(remote.modules["__main__"], name)
        return functions[name]

    def defined(self, module: ModuleType) -> Any:
        """What a module defines that imports the standard library alone, made there from its text
        once.
        """
        remote = self.remote
        functions: dict[str, Any] = self._here.functions
        name = module.__name__
        if name not in functions:
            functions[name] = remote.builtins.dict(__name__=name)
            remote.builtins.exec(inspect.getsource(module), functions[name])
        return functions[name]

    def answers(self) -> bool:
        """Whether the agent listens; before that, its kernel refuses or is not there at all."""
        try:
            socket.create_connection((self._address, PORT), timeout=0.2).close()
        except OSError:
            return False
        return True

    def hang_up(self) -> None:
        """Break all connections, of whatever thread: no packet tells that a machine has ended."""
        for connection in self._made:
            with (
                contextlib.suppress(OSError, EOFError),
                socket.socket(fileno=os.dup(connection.fileno())) as link,
            ):
                link.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close all connections."""
        for connection in self._made:
            connection.close()
