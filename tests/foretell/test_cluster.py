"""A cluster is put together of its objects; what makes no sense is told with its place."""

from __future__ import annotations

from typing import Any

import pytest

from specification.errors import ManifestError
from specification.services import Slice
from tests.foretell.cases import endpoints, node, read, service


def test_services_have_their_endpoints_and_nodes_their_zones() -> None:
    found = read(node("a", "east"), endpoints("web", "a", "b"), service(), node("b"))
    (web,) = found.services
    assert [each.node_name for each in web.endpoints] == ["a", "b"]
    assert found.zones == {"a": "east", "b": None}
    assert not found.assumed


def test_what_is_no_business_of_a_proxy_is_counted() -> None:
    headless = service("headless", clusterIP="None", clusterIPs=["None"])
    name = service("name", "ExternalName", externalName="a.example")
    other = service("other")
    other["metadata"]["labels"] = {"service.kubernetes.io/service-proxy-name": "mine"}
    found = read(headless, name, other, service(), endpoints())
    assert [each.name for each in found.services] == ["web"]
    assert found.left_alone == 3


def test_a_slice_that_is_labelled_headless_is_not_looked_at() -> None:
    hidden = endpoints("web", "a")
    hidden["metadata"]["labels"]["service.kubernetes.io/headless"] = ""
    (web,) = read(service(), hidden, endpoints("web", "b")).services
    assert [each.node_name for each in web.endpoints] == ["b"]


def test_what_a_manifest_leaves_out_is_assumed_and_said() -> None:
    bare = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"type": "NodePort", "ports": [{"port": 80, "targetPort": "http"}]},
    }
    found = read(bare)
    (web,) = found.services
    assert web.namespace == "default"
    assert (web.families, len(web.cluster_ips)) == (("IPv4",), 1)
    assert web.ports[0].protocol == "TCP"
    assert web.ports[0].node_port
    assert len({each.node_name for each in web.endpoints}) == 2
    assert [each.split(" ", 1)[0] for each in found.assumed] == ["1", "1", "1"]


def test_no_endpoints_are_none_where_a_slice_says_so() -> None:
    (web,) = read(service(), endpoints("web")).services
    assert web.slices
    assert isinstance(web.slices[0], Slice)
    assert not web.endpoints


def wrong(**spec: Any) -> dict[str, Any]:
    return service("web", **spec)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (wrong(ports=[{"port": "80"}]), r"spec\.ports\[0\]\.port: int is needed, not '80'"),
        (wrong(ports=[{"name": "a"}]), r"spec\.ports\[0\]: port is missing"),
        (wrong(type="Cluster"), r"spec\.type: "),
        (wrong(externalIPs=["1.2.3"]), r"'1\.2\.3' does not appear to be an IPv4 or IPv6 address"),
        (wrong(clusterIPs=["x"]), r"'x' does not appear to be"),
        (wrong(loadBalancerSourceRanges=["10.0.0.1/8"]), r"10\.0\.0\.1/8 has host bits set"),
        ({**wrong(), "apiVersion": "v2"}, r"apiVersion v1 is needed, not v2"),
        ({**wrong(), "spec": None}, r"spec is missing"),
    ],
)
def test_what_makes_no_sense_is_one_line_with_its_place(body: Any, message: str) -> None:
    with pytest.raises(ManifestError, match=rf"^a\.yaml:1: Service default/web: {message}") as no:
        read(body)
    assert "\n" not in str(no.value)


def test_no_service_at_all_is_bad_input() -> None:
    with pytest.raises(ManifestError, match=r"a\.yaml: there is no Service in it, but 1 objects"):
        read({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}})
