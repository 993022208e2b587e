"""kube-proxy as a program: what it does and ends, and what of its configuration file ends it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import yaml

from conformance.kube_proxy.process.supervised import Supervised, ended_at_once
from conformance.vocabulary import Node, by_time, docs, requirement, setting, source

_LIBERAL: Final = Path("/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal")
_PROGRAMMED: Final = 240.0  # seconds after which a proxy that is ready should have programmed


@requirement(
    "life-init-only",
    docs("kube-proxy", note="--init-only"),
    source("cmd/kube-proxy/app/server.go", "newProxyServer"),
    feature="kube-proxy-modes",
)
def test_initialises_and_ends(bare_node: Node) -> None:
    """With --init-only, kube-proxy must set the sysctls that it is configured to, must program
    nothing, and must end with exit code 0.
    """
    before = bare_node.read(_LIBERAL)
    bare_node.write(_LIBERAL, "0")
    try:
        liberal = {"conntrack": {"tcpBeLiberal": True}}
        assert ended_at_once(bare_node, "--init-only", configuration=liberal) == 0
        assert bare_node.read(_LIBERAL).strip() == "1"
    finally:
        bare_node.write(_LIBERAL, before)
    assert bare_node.proxy.modes_in_kernel() == set()


@requirement(
    "life-write-config",
    docs("kube-proxy", note="--write-config-to"),
    setting("KubeProxyConfiguration"),
    source("cmd/kube-proxy/app/options.go", "writeConfigFile"),
    feature="kube-proxy-modes",
)
def test_writes_its_configuration_and_ends(bare_node: Node, mode: str) -> None:
    """With --write-config-to, kube-proxy must write its configuration, with the defaults of what
    was not set, to that file and end with exit code 0, having programmed nothing; and must start
    with that file.
    """
    file = bare_node.proxy.directory / "written.yaml"
    bare_node.run(["rm", "-f", str(file)])
    given = {"bindAddressHardFail": True, "configSyncPeriod": None}
    assert ended_at_once(bare_node, f"--write-config-to={file}", configuration=given) == 0
    assert bare_node.proxy.modes_in_kernel() == set()
    written = yaml.safe_load(bare_node.read(file))
    said = {key: written[key] for key in ("kind", "mode", "bindAddressHardFail")}
    assert said == {
        "kind": "KubeProxyConfiguration",
        "mode": mode,
        "bindAddressHardFail": True,
    }
    assert written["configSyncPeriod"] == "15m0s", "the default"
    bare_node.proxy.start(wrapper=["sh", "-c", f'exec "$0" --config={file}'])
    found = by_time("anything is programmed", bare_node.proxy.modes_in_kernel, _PROGRAMMED)
    assert found == {mode}


@requirement(
    "life-config-change-exit",
    source("cmd/kube-proxy/app/options.go", "eventHandler"),
    feature="kube-proxy-modes",
)
def test_ends_when_its_configuration_changes(bare_node: Node) -> None:
    """When its configuration file is written to or is moved away, kube-proxy must end with an
    error that says so, for whoever looks after it to start it anew.
    """
    for change in ("echo >> {}", "mv {} {}.old"):
        proxy = Supervised(bare_node)
        assert proxy.exit_code is None, proxy.log
        bare_node.run(["sh", "-c", change.replace("{}", str(proxy.file))])
        proxy.assert_ends("configuration file was updated")
