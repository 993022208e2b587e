"""The command line of foretell: what it prints, and with which exit code."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from foretell.command import main
from tests.conftest import ROOT
from tests.foretell.cases import endpoints, node, service

WEB = service("web-of-mine", kind="NodePort")
HEADLESS = service("web-of-mine", clusterIP="None", clusterIPs=["None"])
LIMIT = 20.0
"""Seconds of processor time for 10,000 Services."""
MEMORY = 1024
"""MiB for them."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with a Service, its endpoints and a node."""
    path = tmp_path / "services.yaml"
    path.write_text(yaml.safe_dump_all([WEB, endpoints("web-of-mine", "a"), node("a")]))
    return path


def run(*arguments: Any) -> int:
    return main([*map(str, arguments)])


def test_what_changes_is_told_and_is_exit_code_1(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--from", "iptables", "--to", "nftables", file) == 1
    told = capsys.readouterr().out
    assert told.startswith("From iptables mode of kube-proxy 1.37.2 to nftables mode of kube-proxy")
    for words in ("default/web-of-mine", "For Services", "For whoever runs it", "unserved-port"):
        assert words in told
    assert max(map(len, told.splitlines())) <= 100


def test_nothing_is_said_and_is_exit_code_0(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--from", "nftables", "--to", "nftables@1.37.2", file) == 0
    assert "Nothing changes." in capsys.readouterr().out


def test_markdown_and_json_tell_the_same(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sides = ("--from", "ipvs", "--to", "nftables")
    assert run(*sides, file, "--format", "json") == 1
    found = json.loads(capsys.readouterr().out)
    assert run(*sides, file, "--format", "markdown") == 1
    page = capsys.readouterr().out
    assert found["to"] == {"implementation": "kube-proxy", "version": "1.37.2", "mode": "nftables"}
    assert list(found["services"]) == ["default/web-of-mine"]
    for number, change in enumerate(found["changes"]):
        assert f"## {number + 1}. {change['name']}\n" in page
        assert (number in found["services"]["default/web-of-mine"]) == bool(change["services"])
    examples = [each["example"] for each in found["changes"] if each["services"]]
    assert examples
    for each in examples:
        kinds = [document["kind"] for document in yaml.safe_load_all(each)]
        assert kinds[0] == "Service"
        assert set(kinds[1:]) == {"EndpointSlice"}


def test_an_example_meets_what_it_is_an_example_of(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It can be handed in itself, and is told the same."""
    sides = ("--from", "iptables", "--to", "nftables", "--format", "json")
    run(*sides, file)
    for number, change in enumerate(json.loads(capsys.readouterr().out)["changes"]):
        if change["services"]:
            example = tmp_path / f"{number}.yaml"
            example.write_text(change["example"])
            run(*sides, example)
            again = json.loads(capsys.readouterr().out)
            assert change["name"] in {each["name"] for each in again["changes"] if each["services"]}


def test_one_service_alone(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sides = ("--from", "iptables", "--to", "nftables", file, "--service")
    assert run(*sides, "default/web-of-mine") == 1
    assert run(*sides, "web-of-mine") == 1
    capsys.readouterr()
    assert run(*sides, "other") == 2
    assert "no Service that a proxy serves is called default/other" in capsys.readouterr().err


def test_names_can_be_replaced(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("text", "markdown", "json"):
        run("--from", "iptables", "--to", "nftables", file, "--anonymous", "--format", form)
        told = capsys.readouterr().out
        assert "web-of-mine" not in told
        assert "namespace-" in told


def test_a_configuration_for_both_and_one_for_each(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def written(name: str, **fields: Any) -> Path:
        head = {"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration"}
        path = tmp_path / name
        path.write_text(yaml.safe_dump(head | fields))
        return path

    old = written("old.yaml", clusterCIDR="10.128.0.0/10")
    new = written("new.yaml", clusterCIDR="10.128.0.0/10", nftables={"masqueradeAll": True})
    wrong = written("wrong.yaml", mode="ipvs")
    sides = ("--from", "nftables", "--to", "nftables", file)
    assert run(*sides, "--config", old) == 0
    assert run(*sides, "--config", old, "--config", new) == 1
    assert "By the configuration" in capsys.readouterr().out
    assert run(*sides, "--config", wrong) == 2
    assert capsys.readouterr().err == f"conform: {wrong}: its mode is ipvs, and not nftables\n"
    assert run(*sides, "--config", file) == 2
    assert "KubeProxyConfiguration is needed" in capsys.readouterr().err
    assert run(*sides, "--config", old, "--config", new, "--config", new) == 2


def test_another_implementation_by_its_description(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = ROOT / "tests/implementations/tiny_nft.toml"
    assert run("--from", "iptables", "--to", f"{tiny}:tiny", file) == 1
    assert "tiny" in capsys.readouterr().out.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--from", "ipvs"), "the following arguments are required: --to"),
        (("--from", "ebpf", "--to", "nftables"), "kube-proxy has no mode 'ebpf': choose from"),
        (("--from", "a b", "--to", "nftables"), r"[IMPLEMENTATION:]MODE[@VERSION] is needed"),
        (("--from", "x:fast", "--to", "ipvs"), "there is no implementation x"),
        (("--from", "ipvs", "--to", "iptables", "nowhere.yaml"), "nowhere.yaml cannot be read"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("conform: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err


def test_a_file_without_a_proxied_service_tells_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "headless.yaml"
    path.write_text(yaml.safe_dump(HEADLESS))
    assert run("--from", "iptables", "--to", "nftables", path) == 1
    assert "0 Services" in capsys.readouterr().out


def test_who_reads_the_first_line_alone_is_no_error(file: Path) -> None:
    program = f"{sys.executable} -m foretell --from ipvs --to nftables {file} --format json"
    argv = ["bash", "-c", f"{program} | head -c 1; echo ${{PIPESTATUS[0]}}"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("{1\n", "")


def test_ten_thousand_services_take_seconds(tmp_path: Path) -> None:
    """In a process of its own, from a pipe, as `kubectl get -o yaml` prints them."""
    items = [node(f"node-{number}", f"zone-{number % 3}") for number in range(100)]
    for number in range(10_000):
        name, ip = f"web-{number}", f"10.96.{number // 250}.{number % 250 + 1}"
        kind = ("ClusterIP", "ClusterIP", "NodePort", "LoadBalancer")[number % 4]
        policy = (
            {}
            if kind == "ClusterIP"
            else {"externalTrafficPolicy": ("Local", "Cluster")[number % 2]}
        )
        items.append(service(name, kind, clusterIP=ip, clusterIPs=[ip], **policy))
        items.append(endpoints(name, *(f"node-{(number + more) % 100}" for more in range(3))))
    path = tmp_path / "many.yaml"
    with path.open("w") as file:
        yaml.dump({"apiVersion": "v1", "kind": "List", "items": items}, file, yaml.CSafeDumper)
    argv = [sys.executable, "-m", "foretell", "--from", "ipvs", "--to", "nftables"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with path.open("rb") as piped:
        done = subprocess.run(
            argv, cwd=ROOT, stdin=piped, capture_output=True, text=True, env=os.environ, check=False
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 1, done.stderr
    assert "10,000 Services: something changes for 10,000" in done.stdout
    assert after.ru_utime - before.ru_utime < LIMIT
    assert after.ru_maxrss / 1024 < MEMORY
