"""What stands between kube-proxy and the API server: ``api.py KUBECONFIG THEIRS COMMAND...``

Becomes the command, whose kubeconfig is ``THEIRS``. With a mutant of objects that leads to a child
of this program, which hands on what the API server says, altered; else to the API server itself.
The environment holds MUTANT and MUTANT_RECORD as it does for ``tests.mutants.between.tools``.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPResponse, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from tests.mutants.mutant import Mutant

CANARY = "canary-"
"""How the name of the Service begins that tells when a change is in force: mutations spare it."""

_HOP_BY_HOP = {"transfer-encoding", "content-length", "connection", "accept-encoding", "host"}


class Alterations:
    """What a mutant does to what passes, and the record of it."""

    def __init__(self, mutant: Mutant, record: Callable[[bool], None]) -> None:
        self._mutate, self._record = mutant.mutate, record

    def request(self, target: str) -> str:
        """Path and query of what the API server is asked for instead."""
        (altered,) = self._altered(target, "request")
        return str(altered)

    def answer(self, resource: str, body: bytes) -> bytes:
        """A list of objects, altered; anything else as it is."""
        told = json.loads(body)
        if "items" not in told:
            return body
        items = [new for old in told["items"] or () for new in self._object(old, resource)]
        return json.dumps(told | {"items": items}).encode()

    def event(self, resource: str, line: bytes) -> Iterator[bytes]:
        """An event of a watch as one or more."""
        told = json.loads(line)
        if told["type"] not in ("ADDED", "MODIFIED", "DELETED"):
            yield line
            return
        for each in self._object(told["object"], resource):
            yield json.dumps(told | {"object": each}).encode() + b"\n"

    def _object(self, found: dict[str, Any], resource: str) -> list[Any]:
        metadata = found["metadata"]
        service = metadata.get("labels", {}).get("kubernetes.io/service-name", metadata["name"])
        spared = service.startswith(CANARY)
        return [found] if spared else self._altered(found, resource)

    def _altered(self, thing: Any, kind: str) -> list[Any]:
        altered: list[Any] = self._mutate(json.loads(json.dumps(thing)), kind)
        self._record(altered != [thing])
        return altered


def _server(configuration: dict[str, Any], alterations: Alterations) -> ThreadingHTTPServer:
    """What kube-proxy is to take for the API server, at a port of the loopback interface."""
    cluster, user = configuration["clusters"][0]["cluster"], configuration["users"][0]["user"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    trusted, server = ssl.create_default_context(cadata=authority), urlsplit(cluster["server"])

    class Between(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._hand_on("GET")

        def do_POST(self) -> None:
            self._hand_on("POST")

        def do_PUT(self) -> None:
            self._hand_on("PUT")

        def do_PATCH(self) -> None:
            self._hand_on("PATCH")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _hand_on(self, method: str) -> None:
            target = alterations.request(self.path)
            resource = target.partition("?")[0].rpartition("/")[2]
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_BY_HOP}
            headers |= {"Authorization": f"Bearer {user['token']}"}
            if method == "GET":
                headers["Accept"] = "application/json"
            connection = HTTPSConnection(server.hostname or "", server.port, context=trusted)
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            watching = "watch=true" in target and answer.status == 200
            self._head(answer)
            if watching:
                for line in answer:
                    for event in alterations.event(resource, line):
                        self._chunk(event)
                self._chunk(b"")
            else:
                told = answer.read()
                self._chunk(alterations.answer(resource, told) if answer.status == 200 else told)
                self._chunk(b"")
            connection.close()

        def _head(self, answer: HTTPResponse) -> None:
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()

        def _chunk(self, data: bytes) -> None:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

    return ThreadingHTTPServer(("127.0.0.1", 0), Between)


def _serve(server: ThreadingHTTPServer) -> None:
    """Have a child serve for as long as this process, or what it becomes, is there."""
    outlived, held = os.pipe()
    os.set_inheritable(held, True)
    if os.fork():
        return
    os.close(held)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.read(outlived, 1)
    os._exit(0)


def main(argv: list[str]) -> None:
    """Become the command."""
    sys.path.insert(0, str(Path(__file__).parents[3]))
    from tests.mutants import MUTANTS
    from tests.mutants.mutant import ALTERED, UNALTERED

    ours, theirs, *command = argv
    configuration = json.loads(Path(ours).read_text())
    mode, _, name = os.environ["MUTANT"].partition("-")
    mutant = next(each for each in MUTANTS[mode] if each.name == name)
    if mutant.of == "objects":

        def record(altered: bool) -> None:
            with Path(os.environ["MUTANT_RECORD"]).open("a") as file:
                file.write(f"{ALTERED if altered else UNALTERED}\n")

        server = _server(configuration, Alterations(mutant, record))
        _serve(server)
        address = f"http://127.0.0.1:{server.server_port}"
        configuration["clusters"][0]["cluster"] = {"server": address}
    Path(theirs).write_text(json.dumps(configuration))
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
