"""A way to the API server that a test can close."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

_CHUNK = 65536


class Relay:
    """Hands connections on to ``target`` while it is ``open``; else ends them, old and new, at
    once.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._ends: list[socket.socket] = []
        self._open = True
        self.turned_away = 0
        """How many connections have found it closed."""
        self._listening = socket.create_server(("0.0.0.0", 0))  # noqa: S104  (the sandbox's)
        self.port: int = self._listening.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.close()

    def open(self) -> None:
        """Hand on what comes from now on."""
        with self._lock:
            self._open = True

    def close(self) -> None:
        """End all connections, and those that come."""
        with self._lock:
            self._open = False
            ends, self._ends = self._ends, []
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it listens no longer
            while True:
                client, _ = self._listening.accept()
                self._hand_on(client)

    def _hand_on(self, client: socket.socket) -> None:
        with self._lock:
            if not self._open:
                self.turned_away += 1
                client.close()
                return
            server = socket.create_connection(self._target)
            self._ends += (client, server)
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with source, contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_RDWR)
