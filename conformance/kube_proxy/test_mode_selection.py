"""Which mode runs, and where it refuses to run."""

from __future__ import annotations

from pathlib import Path

from conformance.kube_proxy.process.starts import assert_refuses, claiming
from conformance.vocabulary import (
    Node,
    by_time,
    docs,
    in_nftables,
    kep,
    requirement,
    setting,
    source,
)

_RELEASE = Path("/proc/sys/kernel/osrelease")
_PROGRAMMED = 60  # seconds after which a proxy that is ready should have programmed something


@requirement(
    "life-default-mode-warn",
    docs("kube-proxy", note="--proxy-mode"),
    setting("KubeProxyConfiguration.mode"),
    kep(5343),
    feature="default-mode",
)
def test_runs_where_no_mode_is_given(bare_node: Node, mode: str) -> None:
    """Where no mode is configured, kube-proxy must run in its default mode."""
    bare_node.proxy.start({"mode": None})
    found = by_time("anything is programmed", bare_node.proxy.modes_in_kernel, _PROGRAMMED)
    assert found == {mode}, f"{mode} mode claims to be the default"


@requirement(
    "cfg-mode-enum",
    source("pkg/proxy/apis/config/validation/validation.go", "validateProxyMode"),
    feature="kube-proxy-modes",
)
def test_refuses_an_unknown_mode(bare_node: Node) -> None:
    """For a mode that it does not have, kube-proxy must refuse to start, and must name that mode
    and those that it has.
    """
    modes = bare_node.proxy.implementation.modes
    assert_refuses(bare_node, "userspace", *modes, configuration={"mode": "userspace"})


@in_nftables(
    "nft-kernel-check",
    docs("virtual-ips", "proxy mode nftables"),
    source("pkg/proxy/nftables/supported.go"),
)
def test_refuses_a_kernel_before_5_13(bare_node: Node) -> None:
    """On a kernel before 5.13, kube-proxy must refuse to start in nftables mode and say which it
    needs, unless KUBE_PROXY_NFTABLES_SKIP_KERNEL_VERSION_CHECK is set.
    """
    release = bare_node.proxy.directory / "osrelease"
    # the proxy, and nobody else, reads another release: in a mount namespace of its own
    cover = f'mount --bind {release} {_RELEASE} && exec "$@"'
    wrapper = ("unshare", "--mount", "--", "sh", "-c", cover, "sh")
    bare_node.write(release, "5.13.0\n")
    told = bare_node.run([*wrapper, "cat", str(_RELEASE)]).stdout
    if told != "5.13.0\n":
        raise RuntimeError(f"a program that is to see another kernel release sees {told!r}")

    bare_node.write(release, "5.12.19-generic\n")
    assert_refuses(bare_node, "kernel", "5.13", wrapper=wrapper)
    bare_node.write(release, "5.13.0\n")
    bare_node.proxy.start(wrapper=wrapper)
    bare_node.proxy.stop()
    bare_node.write(release, "5.12.19-generic\n")
    skip = {"KUBE_PROXY_NFTABLES_SKIP_KERNEL_VERSION_CHECK": "yes"}
    bare_node.proxy.start(wrapper=wrapper, environment=skip)


@in_nftables("nft-version-check", kep(3866), source("pkg/proxy/nftables/supported.go"))
def test_refuses_nft_before_1_0_1(bare_node: Node) -> None:
    """Where the program nft is older than 1.0.1, kube-proxy must refuse to start in nftables mode
    and say which version it needs.
    """
    for version in ("0.9.8", "1.0.0"):
        search = claiming(bare_node, "nft", f"nftables v{version} (Faked)")
        assert_refuses(bare_node, "nft", "v1.0.1", version, PATH=search)
    search = claiming(bare_node, "nft", "nftables v1.0.1 (Faked)")
    bare_node.proxy.start(environment={"PATH": search})
