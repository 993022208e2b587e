"""Files, names and arguments with which kube-proxy must not start."""

from __future__ import annotations

from typing import Final

from conformance.kube_proxy.configuration.conftest import Refuses
from conformance.kube_proxy.process.starts import assert_refuses, with_arguments
from conformance.vocabulary import Node, docs, requirement, setting, source

_GROUP = "kubeproxy.config.k8s.io"
_KIND = "KubeProxyConfiguration"
_UNDECODABLE: Final = (
    (f"kind: {_KIND}", "Object 'apiVersion' is missing"),
    (f"apiVersion: {_GROUP}/v1alpha1\nkind: [", "failed to decode: yaml"),
    (f"apiVersion: {_GROUP}/v1alpha1\nkind: KubeletConfiguration", 'no kind \\"Kubelet'),
    (f"apiVersion: {_GROUP}/v1\nkind: {_KIND}", "no kind"),
    (f"apiVersion: {_GROUP}/v1alpha1\nkind: {_KIND}\noomScoreAdj: much", "cannot unmarshal"),
)
"""What is no configuration, and what is said of it."""


@requirement(
    "cfg-bad-yaml",
    source("cmd/kube-proxy/app/options.go", "loadConfig"),
    feature="kube-proxy-modes",
)
def test_file_that_is_no_configuration(bare_node: Node) -> None:
    """Where the file named by --config is missing or cannot be decoded, or is of another kind or
    version, kube-proxy must refuse to start and say why.
    """
    file = bare_node.proxy.directory / "no-file.yaml"
    wrapper = with_arguments(f"--config={file}")
    assert_refuses(bare_node, "no such file or directory", str(file), wrapper=wrapper)
    file = bare_node.proxy.directory / "other.yaml"
    wrapper = with_arguments(f"--config={file}")
    for text, why in _UNDECODABLE:
        bare_node.write(file, text)
        assert_refuses(bare_node, why, wrapper=wrapper)


@requirement(
    "cfg-hostname-empty",
    setting("KubeProxyConfiguration.hostnameOverride"),
    source("cmd/kube-proxy/app/server.go", "GetHostname"),
    feature="kube-proxy-modes",
)
def test_name_of_blanks(refuses: Refuses, bare_node: Node) -> None:
    """kube-proxy must refuse to start where hostnameOverride, or --hostname-override, is of blanks
    alone.
    """
    refuses({"hostnameOverride": " \t"}, "empty hostname is invalid")
    wrapper = with_arguments("--hostname-override= ")
    assert_refuses(bare_node, "empty hostname-override is invalid", wrapper=wrapper)


@requirement(
    "cfg-kubeconfig-missing",
    setting("KubeProxyConfiguration.clientConnection"),
    source("cmd/kube-proxy/app/server.go", "createClient"),
    feature="kube-proxy-modes",
)
def test_no_way_to_the_api_server(refuses: Refuses, bare_node: Node) -> None:
    """kube-proxy must refuse to start where the kubeconfig of its configuration does not exist, and
    where there is none and nothing in its environment leads to an API server.
    """
    missing = str(bare_node.proxy.directory / "missing")
    refuses({"clientConnection": {"kubeconfig": missing}}, missing, "no such file or directory")
    nowhere = {"KUBERNETES_SERVICE_HOST": "", "KUBERNETES_SERVICE_PORT": ""}
    refuses({"clientConnection": {"kubeconfig": ""}}, "in-cluster configuration", **nowhere)


@requirement(
    "cfg-extra-args",
    docs("kube-proxy"),
    source("cmd/kube-proxy/app/server.go", "NewProxyCommand"),
    feature="kube-proxy-modes",
)
def test_arguments_that_are_no_flags(bare_node: Node) -> None:
    """kube-proxy must refuse to start with arguments that are no flags, and with flags that it does
    not have, and must name them.
    """
    for argument, why in (("start", "does not take any arguments"), ("--no-such", "unknown flag")):
        assert_refuses(bare_node, why, argument, wrapper=with_arguments(argument))
