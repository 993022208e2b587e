"""A way to the API server on which a test stands: who asks over it is answered, is turned away, is
kept waiting, or hears that what it knew of is too long ago.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import threading
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit

from kubernetes.client import Configuration

T = TypeVar("T")

_CHUNK: Final = 65536
_LENGTH: Final = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_ENDED: Final = (OSError, asyncio.IncompleteReadError)

_GONE: Final = json.dumps(
    {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": "too old resource version",
        "reason": "Expired",
        "code": 410,
    }
)

Treatment = Literal["refused", "held", "forgotten"]
"""The connection ends without an answer; the answer waits for the end of the treatment; a watch
that is to go on from a version is answered 410 Gone, and all else is as ever.
"""


class _Treated(NamedTuple):
    how: Treatment
    resource: str
    counts: Counter[str]
    ended: asyncio.Event

    def concerns(self, resource: str, query: str) -> bool:
        """Whether a question about ``resource`` is one of those that are treated."""
        if self.how == "forgotten":
            goes_on = "watch=" in query and "sendInitialEvents=true" not in query
            return goes_on and "resourceVersion=" in query
        return self.resource in ("", resource)


class Relay:
    """Hands on to an API server, as the administrator's, what is asked over plain HTTP/1.1.

    A connection to the API server is made for each to the relay.
    """

    def __init__(self, api: Configuration) -> None:
        """Listen, on all addresses, until ``close``."""
        server = urlsplit(api.host)
        self._target = str(server.hostname), server.port or 443
        known_by: Any = api.auth_settings()
        headers = {each["key"]: each["value"] for each in known_by.values()}
        self._headers = "".join(f"{key}: {value}\r\n" for key, value in headers.items()).encode()
        self._tls = ssl.create_default_context(cafile=api.ssl_ca_cert)
        if api.cert_file:
            self._tls.load_cert_chain(api.cert_file, api.key_file)
        self._treated: _Treated | None = None
        self._serving: dict[asyncio.StreamWriter, asyncio.Task[Any] | None] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)
        self._thread.start()
        self._listening = self._run(asyncio.start_server(self._serve, "0.0.0.0", 0))
        self.port: int = self._listening.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Stop listening, and end all connections."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @contextmanager
    def treating(self, how: Treatment, resource: str = "") -> Iterator[Counter[str]]:
        """End all connections that there are, and treat questions so while the block runs, those
        about ``resource`` or all; how many were, by what they asked for.
        """
        treated = self._treated = _Treated(how, resource, Counter(), asyncio.Event())
        self._run(self._cut())
        try:
            yield treated.counts
        finally:
            self._treated = None
            self._loop.call_soon_threadsafe(treated.ended.set)

    def _run(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()

    async def _cut(self) -> None:
        for client in self._serving:
            client.close()

    async def _end(self) -> None:
        self._listening.close()
        await self._cut()
        await asyncio.gather(*filter(None, self._serving.values()))

    async def _serve(self, questions: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self._serving[client] = asyncio.current_task()
        with suppress(*_ENDED):
            answers, server = await asyncio.open_connection(*self._target, ssl=self._tls)
            back = asyncio.create_task(_hand_back(answers, client))
            with suppress(*_ENDED):
                while await self._hand_on(questions, client, server):
                    pass
            server.transport.abort()
            await back
        client.transport.abort()
        del self._serving[client]

    async def _hand_on(
        self,
        questions: asyncio.StreamReader,
        client: asyncio.StreamWriter,
        server: asyncio.StreamWriter,
    ) -> bool:
        """One question; whether another may follow it."""
        head = await questions.readuntil(b"\r\n\r\n")
        request, _, headers = head.partition(b"\r\n")
        length = _LENGTH.search(head)
        body = await questions.readexactly(int(length[1])) if length else b""
        asked = urlsplit(request.decode().split()[1])
        resource = asked.path.rpartition("/")[2]
        treated = self._treated
        if treated and treated.concerns(resource, asked.query):
            treated.counts[resource] += 1
            if treated.how == "refused":
                return False
            if treated.how == "forgotten":
                client.write(_answer("410 Gone", _GONE))
                return True
            await treated.ended.wait()
        server.write(request + b"\r\n" + self._headers + headers + body)
        return True


def _answer(status: str, body: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n{body}".encode()


async def _hand_back(answers: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
    """All answers, until either side ends; the other is ended then."""
    with suppress(*_ENDED):
        while chunk := await answers.read(_CHUNK):
            client.write(chunk)
            await client.drain()
    client.transport.abort()
