"""Which series kube-proxy has, in which format, and what it says of itself as a program."""

from __future__ import annotations

import http.client
import re
from collections import Counter
from collections.abc import Callable

import pytest

from conformance.kube_proxy.process.starts import assert_refuses, without_ipv6
from conformance.kube_proxy.process.told import HEALTH, METRICS, ask, told
from conformance.kube_proxy.telemetry import protobuf
from conformance.kube_proxy.telemetry.scrapes import PREFIX, Scrape, scrape
from conformance.kube_proxy.telemetry.series import FAILURES, SERIES
from conformance.vocabulary import (
    BOTH,
    FAMILIES,
    Node,
    World,
    by_time,
    docs,
    kep,
    requirement,
    setting,
    source,
    trigger_time,
)

_METRICS = source("pkg/proxy/metrics/metrics.go")
_PATIENCE = 240.0  # seconds in which a Node's taint is known, or a first sync is done
_TAINT = {"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule"}
_LAST = "sync_proxy_rules_last_timestamp_seconds"


@pytest.fixture(scope="module")
def used(shared_world: World, names: Callable[[], str]) -> Scrape:
    """What a proxy says that has had something to do in each family: endpoints of TCP and UDP have
    changed.
    """
    shared_world.configure(None)
    services = shared_world.services(names, "IPv4", "TCP", FAMILIES)
    try:
        web = services(1, ports=BOTH)
        web.set_endpoints([services.endpoint()], annotations=trigger_time(), syncs=2)
        told(shared_world.node, HEALTH, "/livez")
        return scrape(shared_world.node)
    finally:
        services.close()


def _release(scraped: Scrape) -> tuple[int, int]:
    """The minor release that a program says it is."""
    (build,) = (each.labels for each in scraped.values if each.name == "kubernetes_build_info")
    found = re.match(r"v(\d+)\.(\d+)\.", dict(build)["git_version"])
    assert found, build
    return int(found[1]), int(found[2])


@requirement("met-present", docs("metrics"), _METRICS, feature="metrics-by-family")
def test_series_of_the_mode_are_told(used: Scrape, mode: str) -> None:
    """Each metric that kube-proxy has in its mode must be told at /metrics with its type and its
    labels, once there is anything to tell.
    """
    wanted = {each.name: (each.type, each.labels) for each in SERIES if mode in each.modes}
    found = {name: (used.types.get(PREFIX + name), used.labels(PREFIX + name)) for name in wanted}
    assert found == wanted


@requirement("met-absent-other-mode", _METRICS, feature="kube-proxy-modes")
def test_series_of_other_modes_are_not_told(used: Scrape, mode: str) -> None:
    """Metrics that are about another mode must not be told."""
    others = {each.name for each in (*SERIES, *FAILURES) if mode not in each.modes}
    assert others
    told_of = {name.removeprefix(PREFIX) for name in used.types}
    assert not others & told_of


@requirement(
    "met-formats",
    source("staging/src/k8s.io/component-base/metrics/legacyregistry/registry.go", "Handler"),
    feature="kube-proxy-modes",
)
def test_both_formats_tell_the_same(used: Scrape, world: World) -> None:
    """At /metrics, kube-proxy must answer who accepts Prometheus' binary format in that, and anyone
    else in the one of text, and must tell of the same metrics in both, of the same types and with
    the same labels.
    """
    text = scrape(world.node)
    binary = ask(world.node, METRICS, "/metrics", accept=protobuf.ACCEPT)
    assert (binary.status, binary.kind) == (http.client.OK, protobuf.CONTENT)
    assert told(world.node, METRICS, "/metrics").kind == "text/plain"
    metrics = {name for name in used.types if name.startswith(PREFIX)}
    assert metrics
    found = protobuf.described(binary.body)
    assert {name: found.get(name) for name in metrics} == {
        name: (text.types.get(name), text.labels(name)) for name in metrics
    }


@requirement("met-family-label", _METRICS, feature="metrics-by-family")
def test_families_are_told_apart(used: Scrape, bare_node: Node) -> None:
    """The label ip_family must be IPv4 or IPv6: all metrics that have it must tell of both families
    where kube-proxy serves both, and of one alone where it serves that alone.
    """
    failures = {PREFIX + each.name for each in FAILURES}  # each begins with the first of its family
    both = {name: told_of for name, told_of in used.families().items() if name not in failures}
    assert set(both.values()) == {frozenset(FAMILIES)}, both
    bare_node.proxy.start(wrapper=without_ipv6(bare_node))

    def synced() -> Scrape | None:
        try:
            found = scrape(bare_node)
        except ConnectionRefusedError:  # it says that it is well before it tells metrics
            return None
        return found if found(_LAST) else None

    one = by_time("a first sync is done", synced, _PATIENCE)
    assert one
    assert set(one.families().values()) == {frozenset({"IPv4"})}, one.families()


@requirement(
    "met-build-info",
    docs("metrics"),
    source("cmd/kube-proxy/proxy.go", "client and version metric registration"),
    feature="kube-proxy-modes",
)
def test_program_tells_of_itself(used: Scrape) -> None:
    """kube-proxy must tell of its release, its process and its requests to the API server by the
    metrics that all components of Kubernetes have: kubernetes_build_info, process_* and
    rest_client_*.
    """
    types = {
        "kubernetes_build_info": "gauge",
        "process_cpu_seconds_total": "counter",
        "process_open_fds": "gauge",
        "process_resident_memory_bytes": "gauge",
        "process_start_time_seconds": "gauge",
        "rest_client_request_duration_seconds": "histogram",
        "rest_client_requests_total": "counter",
    }
    assert {name: used.types.get(name) for name in types} == types
    positive = {each.name for each, value in used.values.items() if value > 0}
    assert {name for name, kind in types.items() if kind != "histogram"} <= positive
    assert _release(used)


@requirement("met-healthz-code", kep(3836), _METRICS, feature="nodes-to-be-removed")
def test_answers_about_health_are_counted(world: World) -> None:
    """proxy_healthz_total and proxy_livez_total must count, by its status, each answer of /healthz
    and of /livez, on a node that is to be deleted, too.
    """
    node, api = world.node, world.cluster.api
    answers: Counter[tuple[str, int]] = Counter()

    def status(path: str) -> int:
        found = told(node, HEALTH, f"/{path}").status
        answers[path, found] += 1
        return found

    def taint(*taints: dict[str, str]) -> None:
        api.patch("nodes", node.name, {"spec": {"taints": list(taints)}})

    def turned(wanted: int) -> bool:
        return status("healthz") == wanted

    before = scrape(node)
    taint(_TAINT)
    try:
        by_time(
            "a node that is to be deleted is no longer eligible", lambda: turned(503), _PATIENCE
        )
        status("livez")
    finally:
        taint()
        by_time("the node is eligible again", lambda: turned(200), _PATIENCE)
    for _ in range(2):
        status("livez")
    after = scrape(node)
    found = {
        (path, code): after(f"proxy_{path}_total", code=str(code))
        - before(f"proxy_{path}_total", code=str(code))
        for path in ("healthz", "livez")
        for code in (200, 503)
    }
    assert found == {each: answers[each] for each in found}
    assert answers["healthz", 503], answers


@requirement(
    "met-hidden",
    setting("KubeProxyConfiguration.showHiddenMetricsForVersion"),
    source("pkg/proxy/apis/config/validation/validation.go", "validateShowHiddenMetricsVersion"),
    feature="kube-proxy-modes",
)
def test_hidden_metrics_can_be_shown_of_the_release_before_alone(
    used: Scrape, bare_node: Node
) -> None:
    """As showHiddenMetricsForVersion kube-proxy must take the minor release before its own, and
    must refuse to start with any other, and name the field.
    """
    major, minor = _release(used)
    for other in (minor, minor - 2):
        refused = {"showHiddenMetricsForVersion": f"{major}.{other}"}
        named = ("ShowHiddenMetricsForVersion", "showHiddenMetricsForVersion: ")
        assert_refuses(bare_node, named, configuration=refused)
    bare_node.proxy.start({"showHiddenMetricsForVersion": f"{major}.{minor - 1}"})
    assert told(bare_node, HEALTH, "/healthz").status == http.client.OK
