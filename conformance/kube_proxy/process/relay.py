"""A way to the API server that a test can close, or keep questions back on."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from kubernetes.client import Configuration

_CHUNK = 65536
_LOOK = 0.05  # seconds between looks at whether it is closed by now
_REQUEST = re.compile(rb"(?:GET|POST|PATCH|PUT) \S+ HTTP/1\.1\r\n")


class Relay:
    """Hands on to an API server what is asked over plain HTTP, as the administrator's questions.

    Connections to it are ended, old and new, while it is not ``open``; and those are kept waiting
    that ask for something whose path has ``held`` in it.
    """

    def __init__(self, api: Configuration) -> None:
        server = urlsplit(api.host)
        self._target = str(server.hostname), server.port or 443
        known_by: Any = api.auth_settings()
        self._headers = "".join(
            f"{each['key']}: {each['value']}\r\n" for each in known_by.values()
        ).encode()
        self._tls = ssl.create_default_context(cafile=api.ssl_ca_cert)
        if api.cert_file:
            self._tls.load_cert_chain(api.cert_file, api.key_file)
        self.open = True
        self.held: str | None = None
        self.turned_away = 0
        """How many connections have found it closed."""
        self.kept_back = 0
        """How many questions have been held."""
        self._listening = socket.create_server(("0.0.0.0", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening, and end all connections."""
        self.open = False
        with self._listening, contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it listens no longer
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if not self.open:
                self.turned_away += 1
                return
            connection = socket.create_connection(self._target)
            with self._tls.wrap_socket(connection, server_hostname=self._target[0]) as server:
                self._hand_on(client, server)

    def _hand_on(self, client: socket.socket, server: ssl.SSLSocket) -> None:
        while self.open:
            for ready in _readable(client, server):
                chunk = ready.recv(_CHUNK)
                if not chunk:
                    return
                if ready is server:
                    client.sendall(chunk)
                    continue
                if request := _REQUEST.match(chunk):
                    self._keep_back(request[0].decode())
                    chunk = request[0] + self._headers + chunk[request.end() :]
                server.sendall(chunk)

    def _keep_back(self, request: str) -> None:
        """Return when this may be handed on."""
        if self.held and self.held in request:
            self.kept_back += 1
            while self.open and self.held and self.held in request:
                time.sleep(_LOOK)


def _readable(client: socket.socket, server: ssl.SSLSocket) -> Iterator[socket.socket]:
    """Of the two, those that have something to read."""
    if server.pending():
        yield server
    else:
        yield from select.select([client, server], [], [], _LOOK)[0]
