"""The Kubernetes API as plain JSON objects, over the official client's connection pool.

Tests write hundreds of objects and read few of them: dictionaries spare the client's typed models,
which cost more time than the API server does.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import urllib3
from kubernetes import client as kubernetes
from kubernetes.config import load_kube_config_from_dict

from specification.addresses import FAMILIES, Family
from specification.errors import RefusedError
from specification.services import Object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

T = TypeVar("T")

_GROUPS = {
    "services": "/api/v1",
    "nodes": "/api/v1",
    "namespaces": "/api/v1",
    "pods": "/api/v1",
    "configmaps": "/api/v1",
    "daemonsets": "/apis/apps/v1",
    "endpointslices": "/apis/discovery.k8s.io/v1",
    "servicecidrs": "/apis/networking.k8s.io/v1",
    "events": "/apis/events.k8s.io/v1",
}
_CLUSTER_SCOPED = {"nodes", "namespaces", "servicecidrs"}
_NOT_FOUND = 404
_TIMEOUT = 30.0  # seconds for one request
_WRITERS = 8  # threads for a batch of writes: more do not make the API server faster


class Api:
    """Create, replace, patch and delete objects; every call returns when the API server has
    acknowledged it.

    A refused request raises ``RefusedError``.
    """

    def __init__(self, kubeconfig: Mapping[str, Any]) -> None:
        """The API that a kubeconfig, read from its file, leads to."""
        configuration = kubernetes.Configuration()
        load: Any = load_kube_config_from_dict
        load(kubeconfig, client_configuration=configuration)
        configuration.connection_pool_maxsize = _WRITERS + 2
        self._headers = {"accept": "application/json"}
        known_by: Any = configuration.auth_settings()
        self._headers |= {each["key"]: each["value"] for each in known_by.values()}
        self.client = kubernetes.ApiClient(configuration)
        """The official client, for whatever this class does not offer."""
        self._pool = ThreadPoolExecutor(_WRITERS, "api")
        self._deletions: list[tuple[tuple[str, str, str], frozenset[Family]]] = []

    def close(self) -> None:
        """Give the connections and threads back."""
        self.finish_deletions()
        self._pool.shutdown()
        self.client.rest_client.pool_manager.clear()

    def ready(self) -> bool:
        """Whether the API server reports itself ready (/readyz)."""
        try:
            self._request("GET", "/readyz")
        except (urllib3.exceptions.HTTPError, RefusedError, OSError):
            return False
        return True

    def get(self, resource: str, name: str, namespace: str = "default") -> Object:
        """One object."""
        return self._json("GET", _path(resource, namespace, name))

    def list_all(
        self, resource: str, namespace: str = "default", selector: str = "", fields: str = ""
    ) -> list[Object]:
        """All objects of a resource in a namespace, or those with the labels that ``selector``
        names and the ``fields``.
        """
        query = f"?labelSelector={selector}&fieldSelector={fields}"
        items = self._json("GET", _path(resource, namespace) + query)["items"]
        return [dict(item) for item in items]

    def create(self, resource: str, body: Object, namespace: str = "default") -> Object:
        """Create an object; returns it as stored."""
        return self._json("POST", _path(resource, namespace), body)

    def replace(self, resource: str, body: Object, namespace: str = "default") -> Object:
        """Replace an object by ``body``, whose metadata names it."""
        return self._json("PUT", _path(resource, namespace, body["metadata"]["name"]), body)

    def patch(
        self,
        resource: str,
        name: str,
        body: Object,
        namespace: str = "default",
        subresource: str = "",
    ) -> Object:
        """Apply a JSON merge patch (RFC 7386): lists are replaced, ``None`` removes a field."""
        path = _path(resource, namespace, name) + (f"/{subresource}" if subresource else "")
        return self._json("PATCH", path, body, "application/merge-patch+json")

    def delete(self, resource: str, name: str, namespace: str = "default") -> None:
        """Delete an object."""
        self._request("DELETE", _path(resource, namespace, name))

    def delete_now(self, resource: str, name: str, namespace: str = "default") -> None:
        """Delete an object, where it is there, without waiting for whoever is to end what it stands
        for.
        """
        self._request(
            "DELETE", _path(resource, namespace, name) + "?gracePeriodSeconds=0", missing=True
        )

    def together(self, requests: Iterable[Callable[[], T]]) -> list[T]:
        """Make many requests at once; what they return, in order."""
        return list(self._pool.map(lambda request: request(), requests))

    def delete_soon(
        self, objects: Iterable[tuple[str, str, str]], families: Collection[Family] = FAMILIES
    ) -> None:
        """Delete many ``(resource, name, namespace)``, which concern ``families``, when something
        is created next in one of these.

        (A proxy then handles both at once, and is left in peace until then.)
        """
        self._deletions += [(each, frozenset(families)) for each in objects]

    def delete_all(self, objects: Iterable[tuple[str, str, str]]) -> None:
        """Delete many ``(resource, name, namespace)`` at once, those that are there. (Where a
        garbage collector runs, what has an owner may go with it.)
        """
        self.together(partial(self.delete_now, *each) for each in objects)

    def finish_deletions(self, families: Collection[Family] = FAMILIES) -> None:
        """Delete now what was to be deleted soon and concerns one of ``families``."""
        self.together(self.due_deletions(families))

    def due_deletions(self, families: Collection[Family]) -> list[Callable[[], object]]:
        """What ``finish_deletions`` does, for ``together`` with other requests."""
        due = [each for each, concerned in self._deletions if concerned.intersection(families)]
        self._deletions = [entry for entry in self._deletions if entry[0] not in due]
        return [partial(self.delete_now, *each) for each in due]

    def _json(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        content_type: str = "application/json",
    ) -> Object:
        answer: Object = json.loads(self._request(method, path, body, content_type))
        return answer

    def _request(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        content_type: str = "application/json",
        *,
        missing: bool = False,
    ) -> bytes:
        answer = self.client.rest_client.pool_manager.request(
            method,
            self.client.configuration.host + path,
            headers={**self._headers, "content-type": content_type},
            body=None if body is None else json.dumps(body),
            timeout=_TIMEOUT,
            retries=False,
        )
        if answer.status >= 300 and not (missing and answer.status == _NOT_FOUND):
            raise RefusedError(
                f"the API server refused to {method} {path}: {_said(answer.data)}", answer.status
            )
        data: bytes = answer.data
        return data


def _said(answer: bytes) -> str:
    """What a refusal says, in one line: the message of a Status object, or all of it."""
    try:
        text = str(json.loads(answer)["message"])
    except (ValueError, TypeError, LookupError):
        text = answer.decode(errors="replace")
    return " ".join(text.split())


def _path(resource: str, namespace: str, name: str = "") -> str:
    scope = "" if resource in _CLUSTER_SCOPED else f"/namespaces/{namespace}"
    return f"{_GROUPS[resource]}{scope}/{resource}" + (f"/{name}" if name else "")
