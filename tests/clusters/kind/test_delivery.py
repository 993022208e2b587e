"""How a Service proxy that a manifest describes gets into kind clusters."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
import yaml

from clusters import implementation
from clusters.kind.cluster import configuration, creation, delivery, existing
from clusters.kind.docker.engine import Engine
from clusters.kind.node.daemonset import STOPPED, DaemonSetProxy
from clusters.kind.node.pods import first_process
from clusters.program import Judged
from specification.errors import ArtifactError, ImplementationError
from tests.conftest import IMPLEMENTATION

if TYPE_CHECKING:
    from collections.abc import Callable

    from clusters.implementation import Implementation

    Described = Callable[..., Implementation]

KIND = """
[kind]
manifest = "manifest.yaml"
daemonset = "network/proxy"
binary = "/proxy"
"""


@pytest.fixture
def described(tmp_path: Path) -> Described:
    """Write an implementation with these lines in its table [kind], and read it."""

    def describe(*lines: str) -> Implementation:
        path = tmp_path / "proxy.toml"
        path.write_text(IMPLEMENTATION + KIND + "\n".join(lines))
        return implementation.load(str(path))

    return describe


class Told(Engine):
    """A Docker that answers commands from a table: by the words that a command has."""

    def __init__(self, **answers: str) -> None:
        super().__init__("unix:///nowhere", Path("/nowhere"))
        self.answers = answers
        self.asked: list[tuple[str, ...]] = []

    def docker(self, *argv: str, **_: Any) -> subprocess.CompletedProcess[str]:
        self.asked.append(argv)
        found = next((text for word, text in self.answers.items() if word in argv), None)
        said = "" if found is None else found
        return subprocess.CompletedProcess(argv, int(found is None), said, "no such thing\n")


def pod(owner: str = "proxy", **status: Any) -> dict[str, Any]:
    """A pod of two containers, of which the first has that status."""
    first = {"name": "main", "image": "proxy:dev", "imageID": "docker.io/proxy@sha256:ab12"}
    return {
        "metadata": {"ownerReferences": [{"name": owner}]},
        "spec": {"containers": [{"name": "main"}, {"name": "beside"}]},
        "status": {
            "containerStatuses": [
                {"name": "beside", "image": "other", "imageID": "sha256:cd34", "state": {}},
                {**first, "state": {"running": {}}, **status},
            ]
        },
    }


def listed(*pods: dict[str, Any]) -> str:
    return json.dumps({"items": pods})


# --- the manifest ---------------------------------------------------------------------------------


def test_the_way_to_the_api_server_is_filled_in(described: Described, tmp_path: Path) -> None:
    text = "server: {server}\nhost: {server_host}:{server_port}\nmode: {mode}\nother: {other}\n"
    (tmp_path / "manifest.yaml").write_text(text + "cidrs: {cluster_cidrs} {min_sync_period}\n")
    assert delivery.manifest(described(), "fast", "kpc-1-fast").splitlines() == [
        "server: https://kpc-1-fast-control-plane:6443",
        "host: kpc-1-fast-control-plane:6443",
        "mode: fast",
        "other: {other}",
        "cidrs: 10.128.0.0/10,fd00:10::/32 10ms",
    ]


def test_a_manifest_that_is_not_there_is_named(described: Described) -> None:
    with pytest.raises(ArtifactError, match=r"proxy\.toml: \[kind\] manifest: .* cannot be read"):
        delivery.manifest(described(), "fast", "kpc-1-fast")


def test_kubeadms_kube_proxy_needs_none() -> None:
    kube_proxy = implementation.load("kube-proxy")
    assert delivery.manifest(kube_proxy, "nftables", "kpc-1-nftables") == ""
    assert delivery.images(kube_proxy, Told(), Path("/nowhere")) is None


@pytest.mark.parametrize("own_image", [True, False])
def test_a_cluster_for_another_proxy_has_no_kube_proxy(own_image: bool) -> None:
    made = configuration.cluster(
        "none", "v1.36.3", Path("/lock"), own_image=own_image, cgroup_v1=False
    )
    assert made["networking"]["kubeProxyMode"] == "none"
    patches = [json.loads(patch) for patch in made["kubeadmConfigPatches"]]
    skipped = [each["skipPhases"] for each in patches if "skipPhases" in each]
    # kind itself skips it, unless a list of ours takes the place of its own
    assert all("addon/kube-proxy" in phases for phases in skipped)
    assert len(skipped) == own_image


# --- its images -----------------------------------------------------------------------------------


def test_images_are_what_a_command_prints(described: Described, tmp_path: Path) -> None:
    (tmp_path / "proxy.tar").write_bytes(b"\0layers")
    folder = tmp_path / "run"
    folder.mkdir()
    archive = delivery.images(described('images = ["cat", "proxy.tar"]'), Told(), folder)
    assert archive is not None
    assert archive.read_bytes() == b"\0layers"
    asked = described("images = ['sh', '-c', 'echo $DOCKER_HOST']")
    archive = delivery.images(asked, Told(), folder)
    assert archive is not None
    assert archive.read_text() == "unix:///nowhere\n"
    assert delivery.images(described(), Told(), folder) is None


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("['cat', 'none.tar']", r"\[kind\] images: cat failed: .*No such file"),
        ("['no-such-program']", r"\[kind\] images: no-such-program cannot be run: .*No such file"),
        ("['false']", r"\[kind\] images: false failed: it said nothing"),
    ],
)
def test_images_that_cannot_be_had_are_told_in_one_line(
    described: Described, tmp_path: Path, command: str, said: str
) -> None:
    with pytest.raises(ArtifactError, match=said) as refused:
        delivery.images(described(f"images = {command}"), Told(), tmp_path)
    assert "\n" not in str(refused.value)


def test_the_second_implementations_image_runs(tmp_path: Path) -> None:
    tiny = implementation.load(str(Path(__file__).parents[2] / "implementations/tiny_nft.toml"))
    archive = delivery.images(tiny, Told(), tmp_path)
    assert archive is not None
    root = tmp_path / "root"
    root.mkdir()
    subprocess.run(["tar", "-xf", archive, "-C", tmp_path], check=True)
    (layer,) = tmp_path.glob("*/layer.tar")
    subprocess.run(["tar", "-xf", layer, "-C", root], check=True)
    assert tiny.kind is not None
    for argv, version in ((tiny.kind.binary, "tiny-nft v0.1\n"), ("/usr/sbin/nft", "nftables v")):
        done = subprocess.run(
            ["chroot", root, argv, "--version"], capture_output=True, text=True, check=True
        )
        assert done.stdout.startswith(version)
        assert not done.stderr


# --- what runs there ------------------------------------------------------------------------------


def test_what_runs_is_asked_in_its_pod(described: Described) -> None:
    told = Told(**{"--": "proxy, version 3.1\n", "pods": listed(pod("other"), pod())})
    assert delivery.delivered(described(), told, "c") == Judged("proxy:dev", "3.1", "ab12")
    words = ["exec", "daemonset/proxy", "--container=main", "--", "/proxy", "--version"]
    assert told.asked[-1][-len(words) :] == tuple(words)
    assert "--namespace=network" in told.asked[-1]


def test_a_proxy_without_a_version_is_refused(described: Described) -> None:
    told = Told(**{"--": "usage: proxy\n", "pods": listed(pod())})
    with pytest.raises(ArtifactError, match=r"proxy\.toml: version: /proxy --version .*'usage"):
        delivery.delivered(described(), told, "c")
    with pytest.raises(ArtifactError, match="no node of c has a pod of the DaemonSet proxy"):
        delivery.delivered(described(), Told(pods=listed(pod("other"))), "c")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (
            {"state": {"waiting": {"reason": "ErrImagePull", "message": "no  such\nimage"}}},
            "ErrImagePull no such image",
        ),
        (
            {
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
                "lastState": {"terminated": {"message": "no permission"}},
            },
            "CrashLoopBackOff no permission",
        ),
        ({}, "nothing is known of its pods"),
    ],
)
def test_what_keeps_a_pod_from_running_is_told(
    described: Described, status: dict[str, Any], said: str
) -> None:
    deployment = described().kind
    assert deployment is not None
    told = Told(pods=listed(pod("other", state={"waiting": {"reason": "no"}}), pod(**status)))
    assert delivery.trouble(told, "c", deployment) == said
    assert delivery.trouble(Told(), "c", deployment) == "nothing is known of its pods"


def test_a_cluster_that_is_there_has_to_be_told_its_mode(described: Described) -> None:
    known = described()
    told = Told(inspect="true\n")
    with (
        pytest.raises(ArtifactError, match="c is in one mode: say --modes with one of first, sec"),
        existing.cluster(told, "c", known, tuple(known.modes)),
    ):
        pass


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            ["warned", "ERROR: failed", "error execution phase x: why ", "more"],
            "error execution ph",
        ),
        (["warned", "rolling out", "error: timed out", "more"], "error: timed out"),
        (["warned", "Error from server (Invalid): no", "more"], "Error from server (Invalid): no"),
        (["warned", "the last "], "the last"),
        ([], "it said nothing"),
    ],
)
def test_a_log_says_what_went_wrong(lines: list[str], said: str) -> None:
    assert creation._error_in(lines).startswith(said)


# --- the DaemonSet --------------------------------------------------------------------------------


class Stored:
    """An API server that has one DaemonSet, and what is made beside it."""

    def __init__(self, spec: dict[str, Any], **configmap: str) -> None:
        container = {"name": "main", "command": ["/proxy", "--as-it-is"]}
        template = {"spec": {"containers": [container], **spec}}
        self.objects: dict[str, Any] = {
            "proxy": {"metadata": {}, "spec": {"template": template, "updateStrategy": {}}},
            "settings": {"data": configmap},
        }

    def get(self, _: str, name: str, namespace: str) -> Any:
        assert namespace == "network"
        return self.objects[name]

    def patch(self, *_: Any) -> None: ...

    def create(self, _: str, body: dict[str, Any], namespace: str) -> None:
        assert namespace == "network"
        self.objects[body["metadata"]["name"]] = body

    def delete(self, _: str, name: str, namespace: str) -> None:
        assert namespace == "network"
        del self.objects[name]


def proxy_of(known: Implementation, api: Stored, folder: Path) -> DaemonSetProxy:
    system: Any = SimpleNamespace(name="c-worker", log=folder / "proxy.log", process=folder)
    assert known.kind is not None
    return DaemonSetProxy(known, "first", system, {}, cast("Any", api), known.kind)


def test_a_pod_runs_what_its_manifest_says_and_sees_the_suites_folder(
    described: Described, tmp_path: Path
) -> None:
    linux = {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}
    required = {"nodeSelectorTerms": [{"matchExpressions": [linux]}]}
    anti = {"requiredDuringSchedulingIgnoredDuringExecution": ["one a node"]}
    nodes = {"requiredDuringSchedulingIgnoredDuringExecution": required}
    api = Stored({"affinity": {"podAntiAffinity": anti, "nodeAffinity": nodes}})
    spec = proxy_of(described(), api, tmp_path)._template()["spec"]
    assert spec["containers"][0]["command"] == ["/proxy", "--as-it-is"]
    assert spec["containers"][0]["volumeMounts"] == [
        {"name": "conformance", "mountPath": "/var/lib/kube-proxy-conformance"}
    ]
    away = {"key": STOPPED, "operator": "DoesNotExist"}
    assert spec["affinity"]["podAntiAffinity"] == anti
    (term,) = spec["affinity"]["nodeAffinity"][next(iter(nodes))]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [linux, away]
    spec = proxy_of(described(), Stored({}), tmp_path)._template()["spec"]
    (term,) = spec["affinity"]["nodeAffinity"][next(iter(nodes))]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [away]


def test_a_tests_configuration_is_merged_into_a_copy_of_the_configmap(
    described: Described, tmp_path: Path
) -> None:
    volumes = [
        {"name": "a", "configMap": {"name": "settings"}},
        {"name": "b", "configMap": {"name": "other"}},
    ]
    theirs = {"main.yaml": "period: 10s\nlimits: {count: 3, size: 4}\n", "beside": "as it is"}
    api = Stored({"volumes": volumes}, **theirs)
    known = described('configmap = "settings"')
    known = msgspec.structs.replace(known, config="main.yaml")
    proxy = proxy_of(known, api, tmp_path)
    for config, merged in (
        ({"limits": {"count": 5}}, {"period": "10s", "limits": {"count": 5, "size": 4}}),
        (None, {"period": "10s", "limits": {"count": 3, "size": 4}}),
    ):
        proxy._write_configuration(config)
        mounted = [each["configMap"]["name"] for each in _volumes(proxy) if "configMap" in each]
        assert mounted[1] == "other"
        data = dict(api.objects[mounted[0]]["data"])
        assert yaml.safe_load(data.pop("main.yaml")) == merged
        assert data == {"beside": "as it is"}
    assert api.objects["settings"]["data"] == theirs
    assert set(api.objects) == {mounted[0], "proxy", "settings"}, "no older one is left"
    proxy._forget_configuration()
    assert set(api.objects) == {"proxy", "settings"}


def _volumes(proxy: DaemonSetProxy) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = proxy._template()["spec"]["volumes"]
    return volumes


def test_a_proxy_without_a_configuration_refuses_one(described: Described, tmp_path: Path) -> None:
    api = Stored({}, **{"main.yaml": "{}"})
    proxy = proxy_of(described(), api, tmp_path)
    proxy._write_configuration(None)
    assert set(api.objects) == {"proxy", "settings"}
    for known in (described(), described('configmap = "settings"')):
        with pytest.raises(ImplementationError, match="pretender has no config file on kind nodes"):
            proxy_of(known, api, tmp_path)._write_configuration({"period": "1s"})


# --- the pod --------------------------------------------------------------------------------------


def test_a_containers_first_process_is_told_by_its_pod(tmp_path: Path) -> None:
    tasks = tmp_path / "run/containerd/io.containerd.runtime.v2.task/k8s.io"
    known = {"io.kubernetes.cri.sandbox-uid": "u1", "io.kubernetes.cri.container-name": "main"}
    for pid, changes in enumerate(
        (
            {"io.kubernetes.cri.sandbox-uid": "u2"},
            {"io.kubernetes.cri.container-name": "beside"},
            {},
        ),
        start=7,
    ):
        (tasks / str(pid)).mkdir(parents=True)
        text = json.dumps({"annotations": {**known, **changes}})
        (tasks / str(pid) / "config.json").write_text(text)
        (tasks / str(pid) / "init.pid").write_text(str(pid))
    (tasks / "begun").mkdir()
    asked = {"metadata": {"uid": "u1"}}
    assert first_process(tmp_path, asked, "main") == 9
    assert first_process(tmp_path, asked, "other") == 0
    assert first_process(tmp_path / "none", asked, "main") == 0
