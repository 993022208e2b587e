"""The program beside a description: what it answers counts, and whatever else it does is told in
one line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from clusters.embedded.hooks import HookedProgram, Hooks
from clusters.embedded.namespace import Namespace
from clusters.implementation import load
from specification.addresses import Family, IPAddress
from specification.errors import StartError

if TYPE_CHECKING:
    from fixtures.lab.lab import Lab

WELL = """
import json, sys
with open(sys.argv[1], "a") as calls:
    for line in sys.stdin:
        request = json.loads(line)
        calls.write(line)
        calls.flush()
        up = {"enter": ["env", "PLACE=here"], "values": {"place": "there"}}
        told = {"node-up": up, "evidence": {"text": "all of it"}}
        print(json.dumps({"ok": told.get(request["call"], {})}), flush=True)
    calls.write("ended\\n")
"""

Started = Callable[[str], Hooks]


@pytest.fixture
def started(tmp_path: Path, pretender: Path) -> Iterator[Started]:
    """Starts a hook program of this text."""
    made: list[Hooks] = []

    def start(text: str) -> Hooks:
        argv = [sys.executable, "-c", text, str(tmp_path / "calls")]
        described = msgspec.structs.replace(load(str(pretender)), hooks=argv)
        made.append(Hooks(described, tmp_path / "hooks"))
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has ended with exit code 0"),
        ("import sys; sys.stdin.readline(); sys.exit('no clang')", "exit code 1.*no clang"),
        ("import time; time.sleep(60)", "has not answered after 1 s"),
        ("print('yes', flush=True); input()", "answered 'yes', not"),
        ("print('{\"ok\": 1}', flush=True); input()", 'not {"ok": ...}'),
        ('print(\'{"error": "no room\\\\nleft"}\', flush=True); input()', "pods: no room left$"),
    ],
    ids=["ends", "dies", "hangs", "says something else", "lies", "refuses"],
)
def test_what_a_hook_program_does_wrong_is_told(started: Started, text: str, why: str) -> None:
    hooks = started(text)
    with pytest.raises(StartError, match=why) as raised:
        hooks.call("pods", timeout=1, node="n")
    assert "\n" not in str(raised.value)
    assert "pretender's hook program: pods: " in str(raised.value)


def test_a_hook_program_that_is_not_there_is_told(pretender: Path, tmp_path: Path) -> None:
    described = msgspec.structs.replace(load(str(pretender)), hooks=["no-such-program"])
    with pytest.raises(StartError, match=r"hook program cannot be started: .*no-such-program"):
        Hooks(described, tmp_path)


def test_a_proxy_is_started_where_its_hook_program_says(
    started: Started, lab: Lab, tmp_path: Path
) -> None:
    hooks = started(WELL)
    system = lab.node.system
    assert isinstance(system, Namespace)
    described = msgspec.structs.replace(
        lab.node.proxy.implementation,
        argv=["sh", "-c", "echo $PLACE {place} > {directory}/said; exec sleep 60"],
        ready=["test", "-s", "{directory}/said"],
    )
    proxy = HookedProgram(described, "first", system, {}, "", hooks=hooks, node=lab.node)
    pods: list[Mapping[Family, IPAddress]] = [
        {"IPv4": ip_address("10.128.1.0"), "IPv6": ip_address("fd00:10::100")}
    ]
    proxy.announce(pods)  # it does not run yet
    proxy.start()
    assert (proxy.directory / "said").read_text() == "here there\n"
    proxy.announce(pods)
    assert proxy.rules() == "all of it"
    proxy.close()
    hooks.close()
    *written, last = (tmp_path / "calls").read_text().splitlines()
    calls = [msgspec.json.decode(line) for line in written]
    assert [each["call"] for each in calls] == [
        "node-up",
        "enter",
        "pods",
        "pods",
        "evidence",
        "node-down",
    ]
    up, enter, told = calls[:3]
    assert up["interfaces"] == {"pod": "pod0", "external": "ext0"}
    assert up["addresses"]["IPv4"] == str(lab.node.address("IPv4"))
    assert enter["pid"] == os.getpid()
    mac = lab.node.wires["pod"].lab_mac.hex(":")
    assert told["pods"] == [{"IPv4": "10.128.1.0", "IPv6": "fd00:10::100", "mac": mac}]
    assert last == "ended"


def test_a_node_whose_hook_program_lies_is_taken_down(started: Started, lab: Lab) -> None:
    hooks = started(WELL.replace('"enter"', '"entre"'))
    system = lab.node.system
    assert isinstance(system, Namespace)
    with pytest.raises(StartError, match="the answer needs a list enter"):
        HookedProgram(
            lab.node.proxy.implementation, "first", system, {}, "", hooks=hooks, node=lab.node
        )
