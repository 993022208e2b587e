"""The backend, and the host that carries the modules."""

from __future__ import annotations

import testinfra
from testinfra.backend import get_backend

from clusters.inspection.host import Host
from clusters.inspection.netns import NetnsBackend
from clusters.inspection.netns import host as host_in


def test_commands_run_in_the_namespace(host: Host) -> None:
    links = host.check_output("ip -brief link show")
    assert [line.split()[0] for line in links.splitlines()] == ["lo"]
    assert host.check_output("printf %s", "it's; quoted") == "it's; quoted"


def test_a_missing_namespace_is_an_error() -> None:
    result = host_in("/proc/1/ns/nonesuch").run("true")
    assert result.rc != 0
    assert "nonesuch" in result.stderr


def test_the_backend_is_found_by_its_url() -> None:
    backend = get_backend("netns://node")
    assert isinstance(backend, NetnsBackend)
    assert backend.path == "/run/netns/node"
    assert backend.get_pytest_id() == "netns://node"


def test_the_modules_come_with_any_backend() -> None:
    plain = testinfra.get_host("local://")
    host = Host.get_host("local://")
    assert isinstance(host, Host)
    assert not isinstance(plain, Host)
    for module in (host.nftables, host.iptables, host.conntrack):
        assert module.output("echo here") == "here"
    assert host.file("/").is_directory
