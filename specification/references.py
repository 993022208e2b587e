"""Where a rule comes from: one spelling for each kind of source, and a link that leads there."""

from __future__ import annotations

from dataclasses import dataclass

RELEASE = "v1.37.2"
"""The release of Kubernetes whose sources are linked: links must not move with a branch."""

_ANNOUNCING = "v1.38.0-beta.0"
"""The first release that announces what its conformance tests will demand."""

LINUX = "v6.12"
"""The release of Linux whose sources are linked."""

_KUBERNETES = "https://github.com/kubernetes/kubernetes/blob"
_DOCS = "https://kubernetes.io/docs"

_PAGES = {
    "api-concepts": ("Kubernetes API Concepts", "reference/using-api/api-concepts"),
    "cluster-ip-allocation": (
        "Service ClusterIP allocation",
        "concepts/services-networking/cluster-ip-allocation",
    ),
    "dual-stack": ("IPv4/IPv6 dual-stack", "concepts/services-networking/dual-stack"),
    "endpoint-slices": ("EndpointSlices", "concepts/services-networking/endpoint-slices"),
    "kube-proxy": ("kube-proxy", "reference/command-line-tools-reference/kube-proxy"),
    "kube-proxy-config": (
        "kube-proxy Configuration (v1alpha1)",
        "reference/config-api/kube-proxy-config.v1alpha1",
    ),
    "metrics": ("Kubernetes Metrics Reference", "reference/instrumentation/metrics"),
    "names": ("Object Names and IDs", "concepts/overview/working-with-objects/names"),
    "namespaces": ("Namespaces", "concepts/overview/working-with-objects/namespaces"),
    "networking": ("Cluster Networking", "concepts/cluster-administration/networking"),
    "service": ("Service", "concepts/services-networking/service"),
    "source-ip": ("Using Source IP", "tutorials/services/source-ip"),
    "topology-aware-routing": (
        "Topology Aware Routing",
        "concepts/services-networking/topology-aware-routing",
    ),
    "virtual-ips": ("Virtual IPs and Service Proxies", "reference/networking/virtual-ips"),
}
_KINDS = {"Service": "service-v1", "EndpointSlice": "endpoint-slice-v1"}
_ANCHORS = {
    "port definitions": "field-spec-ports",
    "RFC 1123 Label Names": "dns-label-names",
    "publishing Services": "publishing-services-service-types",
    "Services without selectors": "services-without-selectors",
    "type ExternalName": "externalname",
    "Services with type ClusterIP": "source-ip-for-services-with-type-clusterip",
    "Services with type NodePort": "source-ip-for-services-with-type-nodeport",
    "Services with type LoadBalancer": "source-ip-for-services-with-type-loadbalancer",
}
"""Where the anchor of a section is not its name."""


@dataclass(frozen=True)
class Reference:
    """One source: its words, and the address that they lead to."""

    text: str
    url: str

    def __str__(self) -> str:
        return self.text

    @property
    def markdown(self) -> str:
        """The words as a link."""
        return f"[{self.text}]({self.url})"


def _of(text: str, url: str, detail: str = "", note: str = "") -> Reference:
    words = ", ".join(filter(None, (text, detail)))
    return Reference(f"{words} ({note})" if note else words, url)


def kep(number: int, section: str = "") -> Reference:
    """A Kubernetes Enhancement Proposal."""
    return _of(f"KEP-{number}", f"https://kep.k8s.io/{number}", section)


def docs(page: str, section: str = "", note: str = "") -> Reference:
    """A page of Kubernetes' documentation, a section of it, and what it says there.

    Raises:
        ValueError: no page of that name is known here.
    """
    if page not in _PAGES:
        raise ValueError(f"{page}: no page of the documentation; known are {', '.join(_PAGES)}")
    title, path = _PAGES[page]
    anchor = _ANCHORS.get(section, section.lower().replace(" ", "-"))
    return _of(f"docs: {title}", f"{_DOCS}/{path}/{anchor and '#'}{anchor}", section, note)


def setting(field: str) -> Reference:
    """A field of kube-proxy's configuration: ``KubeProxyIPVSConfiguration.strictARP``."""
    title, path = _PAGES["kube-proxy-config"]
    anchor = f"kubeproxy-config-k8s-io-v1alpha1-{field.partition('.')[0]}"
    return _of(f"docs: {title}", f"{_DOCS}/{path}/#{anchor}", field)


def api(kind: str, field: str = "", note: str = "") -> Reference:
    """A kind of object in the API reference, and a field of it.

    Raises:
        ValueError: no such kind is known here.
    """
    if kind not in _KINDS:
        raise ValueError(f"{kind}: no kind of object; known are {', '.join(_KINDS)}")
    url = f"{_DOCS}/reference/kubernetes-api/service-resources/{_KINDS[kind]}/"
    return _of(f"API: {kind}", url, field, note)


def source(path: str, what: str = "", release: str = RELEASE) -> Reference:
    """A file or folder of Kubernetes' sources, and what is meant in it; ``release`` is one that has
    it.
    """
    return _of(f"kubernetes: {path}", f"{_KUBERNETES}/{release}/{path}", what)


def e2e(file: str, *tests: str, release: str = RELEASE) -> Reference:
    """A file of Kubernetes' end-to-end tests of the network, and the tests in it; ``release`` is
    one that has it.
    """
    quoted = " and ".join(f"'{test}'" for test in tests)
    address = f"{_KUBERNETES}/{release}/test/e2e/network/{file}.go"
    return Reference(f"e2e: {file} {quoted}".rstrip(), address)


def future_conformance(test: str) -> Reference:
    """A test that Kubernetes' own conformance is to have from a later release on (KEP-5922)."""
    return source("test/conformance/testdata/future-conformance.yaml", test, _ANNOUNCING)


def issue(number: int) -> Reference:
    """An issue or a pull request of Kubernetes."""
    address = f"https://github.com/kubernetes/kubernetes/issues/{number}"
    return Reference(f"kubernetes/kubernetes#{number}", address)


def rfc(number: int, section: str) -> Reference:
    """A section of an RFC."""
    address = f"https://www.rfc-editor.org/rfc/rfc{number}#section-{section}"
    return Reference(f"RFC {number}, {section}", address)


def linux(path: str, what: str = "") -> Reference:
    """A file of the kernel's sources, and what is meant in it."""
    address = f"https://github.com/torvalds/linux/blob/{LINUX}/{path}"
    return _of(f"linux: {path}", address, what)


def man(page: str, what: str) -> Reference:
    """A manual page of section 8, and what it says."""
    return _of(f"man {page}", f"https://manpages.debian.org/{page}.8", what)
