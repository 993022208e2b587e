"""A rehearsal from its command line to its page, and what stops it before it begins."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clusters.build import artifacts
from migrate.command import main
from reports.model.migration import Course, Rehearsed, read
from tests.conftest import ROOT, outside
from tests.samples.schemas import valid

_DIRECTIONS = ("--from", "iptables", "--to", "nftables")
_SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: dns}
spec:
  clusterIP: 10.0.0.10
  clusterIPs: [10.0.0.10]
  ipFamilies: [IPv4]
  ports: [{name: dns, port: 53, protocol: UDP}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: dns-1, labels: {kubernetes.io/service-name: dns}}
addressType: IPv4
ports: [{name: dns, port: 53, protocol: UDP}]
endpoints: [{addresses: [10.1.0.3], nodeName: somewhere, conditions: {ready: true}}]
"""
_STALE = """
table ip stale {
    chain forward { type filter hook forward priority 0; tcp dport 8080 ct state new drop; }
}
"""


def started(folder: Path, *options: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "migrate", *_DIRECTIONS, f"--results={folder}", *options]
    return subprocess.Popen(
        argv,
        cwd=ROOT,
        env=outside(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def rehearse(folder: Path, *options: str) -> tuple[int, str, Rehearsed]:
    """Exit code, what was printed, and what was written."""
    process = started(folder, *options)
    told, complaints = process.communicate(timeout=300)
    assert process.returncode in (0, 1), told + complaints
    (written,) = folder.iterdir()
    assert sorted(each.name for each in written.iterdir()) == ["migration.html", "switches.jsonl"]
    assert valid(written / "switches.jsonl") > 2
    return process.returncode, told, read(written)


def course(found: Rehearsed, way: str, before: str = "iptables") -> Course:
    chosen = found.course(way, before)
    assert chosen is not None
    return chosen


@pytest.fixture(scope="module", name="whole")
def fixture_whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, Rehearsed]:
    return rehearse(tmp_path_factory.mktemp("whole"), "--repetitions=1", "--seed=3")


def test_every_way_is_gone_and_nothing_is_wrong_afterwards(
    whole: tuple[int, str, Rehearsed],
) -> None:
    code, told, found = whole
    assert [wrong for each in found.courses for wrong in each.wrong] == []
    assert code == 0
    assert {(each.way, each.before) for each in found.courses} == {
        *((way, mode) for way in ("in-place", "cleanup", "drained") for mode in found.header.modes),
        ("failed", "iptables"),
    }
    assert told.splitlines()[-1].startswith("Page: ")


def test_established_flows_outlive_each_way(whole: tuple[int, str, Rehearsed]) -> None:
    for each in whole[2].courses:
        for protocol in ("TCP", "UDP"):
            flows = each.flows(protocol)
            assert flows.opened >= 40, each.name
            assert flows.lost == 0, f"{each.way}, {each.name}: {flows}"


def test_new_connections_fail_while_there_are_no_rules(whole: tuple[int, str, Rehearsed]) -> None:
    for each in whole[2].courses:
        assert each.tried > 500
        assert 0 < each.failed < each.tried, f"{each.way}, {each.name}"
        longest = each.window(1.0)
        assert 0 < longest.high < sum(each.switches[0].steps.values()) + 2


def test_what_is_left_is_what_the_old_mode_alone_has(whole: tuple[int, str, Rehearsed]) -> None:
    found = whole[2]
    assert set(course(found, "cleanup").left_names) <= {"chain filter/KUBE-FIREWALL"}
    assert not course(found, "cleanup", "nftables").left


def test_a_file_of_services_is_rehearsed_by_its_shapes(tmp_path: Path) -> None:
    file, config = tmp_path / "services.yaml", tmp_path / "config.yaml"
    file.write_text(_SERVICES)
    config.write_text(
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
        "clusterCIDR: 10.9.0.0/16\nnodePortAddresses: [primary]\n"
    )
    options = (f"--services={file}", f"--config={config}", "--ways=in-place", "--repetitions=1")
    code, _, found = rehearse(tmp_path / "results", *options)
    assert code == 0
    assert (found.header.services, found.header.asked) == (1, "services.yaml")
    (there, back) = found.courses
    assert there.frontends == ["cluster-ip"]
    assert there.flows("UDP").opened == there.flows().opened > 0
    assert back.name == "nftables to iptables"
    assert f"--config {config}" in found.header.reproduce


def test_what_is_served_wrongly_after_a_switch_is_seen(tmp_path: Path) -> None:
    proxy = tmp_path / "kube-proxy"
    real = artifacts.ensure(["kube-proxy"])["kube-proxy"]
    proxy.write_text(
        f"""#!/bin/sh
        config=${{1#--config=}}
        case "$*" in *--version*|*--cleanup*) exec {real} "$@" ;; esac
        grep -q '"mode": "nftables"' "$config" && nft -f - <<RULES
{_STALE}
RULES
        exec {real} "$@"
        """
    )
    proxy.chmod(0o755)
    options = (f"--proxy-binary={proxy}", "--ways=in-place", "--repetitions=1")
    code, told, found = rehearse(tmp_path / "results", *options)
    assert code == 1
    there = course(found, "in-place")
    assert there.wrong_times == 1
    assert all("dropped" in each for each in there.wrong)
    assert there.window(1.0).high == float("inf")
    assert there.flows("TCP").lost == 0, "the rule is about new connections"
    assert "wrong after 1 of 1 switch" in told
    assert course(found, "in-place", "nftables").switches[0].wrong_before


def test_what_there_is_by_then_is_told_where_it_is_interrupted(tmp_path: Path) -> None:
    process = started(tmp_path, "--repetitions=100", "--ways=in-place")
    deadline = time.monotonic() + 120
    while not any('"switch"' in each.read_text() for each in tmp_path.glob("*/switches.jsonl")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    told, complaints = process.communicate(timeout=60)
    assert process.returncode == 2, complaints
    assert "conform: interrupted; what there is by now is told" in complaints
    (written,) = tmp_path.iterdir()
    assert read(written).footer.exit == 2
    assert "in-place, iptables to nftables" in told


def test_what_is_interrupted_before_anything_is_switched_leaves_nothing(tmp_path: Path) -> None:
    process = started(tmp_path, "--repetitions=1")
    time.sleep(3)
    process.send_signal(signal.SIGTERM)
    told, complaints = process.communicate(timeout=60)
    assert process.returncode == 2, complaints
    assert "conform: interrupted before anything was switched" in complaints
    assert not told
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "--from MODE is needed"),
        (["--from=ipvs"], "--to MODE is needed"),
        (["--from=ipvs", "--to=ipvs"], "both name ipvs"),
        (["--from=ipvs", "--to=userspace"], "kube-proxy has no mode 'userspace'"),
        ([*_DIRECTIONS, "--ways=jump"], "there is no 'jump'"),
        ([*_DIRECTIONS, "--ways=,"], "--ways names none"),
        ([*_DIRECTIONS, "--repetitions=none"], "'none' is no number above 0"),
        ([*_DIRECTIONS, "--services=/nowhere"], "/nowhere cannot be read"),
        ([*_DIRECTIONS, "--config=/nowhere"], "/nowhere cannot be read"),
        ([*_DIRECTIONS, *["--config=/x"] * 3], "--config is given once, for both, or twice"),
        ([*_DIRECTIONS, "--modes=ipvs"], "unrecognized arguments"),
    ],
)
def test_bad_input_is_told_in_one_line(
    options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(options) == 2
    said = capsys.readouterr().err
    assert said.startswith("conform: ")
    assert complaint in said
    assert said.count("\n") == 1


def test_a_file_without_services_is_no_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "nothing.yaml"
    file.write_text("apiVersion: v1\nkind: Node\nmetadata: {name: a}\n")
    assert main([*_DIRECTIONS, f"--services={file}"]) == 2
    assert "there is no Service in it" in capsys.readouterr().err


def test_help_tells_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    for words in (
        "exit codes:",
        "--repetitions",
        "--services",
        "./conform migrate --from iptables",
    ):
        assert words in said
