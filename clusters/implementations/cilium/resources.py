"""The kinds of objects that agents wait for."""

from __future__ import annotations

import base64
import http.client
import ssl
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_URL: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_TIMEOUT: Final = 30.0  # seconds


def create(kubeconfig: Mapping[str, Any], folder: Path) -> None:
    """Have the API server know all kinds whose definitions are in a folder.

    Raises:
        OSError: it cannot be asked, or refuses one.
    """
    cluster = kubeconfig["clusters"][0]["cluster"]
    server = urlsplit(cluster["server"])
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    trusted = ssl.create_default_context(cadata=authority)
    headers = {
        "Content-Type": "application/yaml",
        "Authorization": f"Bearer {kubeconfig['users'][0]['user']['token']}",
    }

    def post(file: Path) -> None:
        connection = http.client.HTTPSConnection(
            server.hostname or "", server.port, timeout=_TIMEOUT, context=trusted
        )
        try:
            connection.request("POST", _URL, file.read_bytes(), headers)
            answer = connection.getresponse()
            told = answer.read().decode(errors="replace")
        finally:
            connection.close()
        if answer.status not in (http.client.CREATED, http.client.CONFLICT):
            raise OSError(f"the API server refuses {file.name}: {answer.status} {told}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(post, sorted(folder.rglob("*.yaml"))))
