"""Virtual machines: what they are made of, what can be done with one, and how one may end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clusters import netns
from clusters.build import coverage
from clusters.implementation import load
from clusters.vm import accelerator, kernel, supply
from clusters.vm import initramfs as image
from clusters.vm.cpio import Archive
from clusters.vm.machine import Machine
from clusters.wires import Link
from specification.errors import ArtifactError, NodeError
from tests.conftest import ROOT, outside
from tests.processes import alive, descendants, machines

if TYPE_CHECKING:
    from collections.abc import Iterator

TRIAL = tuple(load("kube-proxy").modes["ipvs"].trial)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("machine")


@contextlib.contextmanager
def booted(name: str, folder: Path, network: int) -> Iterator[Machine]:
    """A machine on a management wire alone, a bridge that only this one of all workers has."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    bridge, subnet = f"vm{network}-{worker}", f"100.{64 + network}.{worker}"
    chosen = kernel.packaged()
    link = Link("mgmt0", bytes.fromhex("020064400001"), f"{bridge}-tap", bridge=bridge)
    netns.configure(
        None,
        [
            f"link add {bridge} type bridge",
            f"address add {subnet}.1/24 dev {bridge}",
            f"link set {bridge} up",
        ],
    )
    try:
        programs = [Path("/bin/true").resolve()]
        place, files = f"{subnet}.10", image.build(chosen)
        made = Machine(name, folder / name, chosen, files, [link], place, programs)
        try:
            yield made
        finally:
            made.close()
    finally:
        netns.configure(None, [f"link delete {bridge}"])


@pytest.fixture(scope="module")
def machine(folder: Path) -> Iterator[Machine]:
    with booted("machine", folder, 0) as made:
        yield made


# --- what can be done with one --------------------------------------------------------------------


def test_machine_runs_programs(machine: Machine) -> None:
    assert machine.run(["uname", "-r"]).stdout.strip() == kernel.packaged().release
    assert machine.run(["cat"], input="text").stdout == "text"
    failed = machine.run(["sh", "-c", "echo why >&2; exit 3"], check=False)
    assert (failed.returncode, failed.stderr) == (3, "why\n")
    with pytest.raises(subprocess.CalledProcessError):
        machine.run(["sh", "-c", "exit 3"])
    with pytest.raises(FileNotFoundError):
        machine.run(["no-such-program"])


def test_machine_can_be_what_a_node_must(machine: Machine) -> None:
    for argv in (
        ["ip", "link", "add", "trial0", "type", "dummy"],
        ["ipvsadm", "-A", "-t", "192.0.2.1:80", "-s", "mh"],
        ["ipset", "create", "trial", "hash:ip,port"],
        ["iptables", "-A", "INPUT", "-m", "set", "--match-set", "trial", "dst,dst", "-j", "DROP"],
        ["nft", "add", "table", "ip", "trial"],
        ["conntrack", "-L"],
    ):
        machine.run(argv)
    assert [each.scheduler for each in machine.host.ipvs.virtual_servers] == ["mh"]
    assert "trial" in machine.host.ipset.sets


def test_programs_of_a_machine_print_into_its_log(machine: Machine) -> None:
    before = machine.log.stat().st_size
    process = machine.spawn(["sh", "-c", "echo $WORD; exec sleep 600"], {"WORD": "hello"})
    deadline = time.monotonic() + 10
    while machine.log.read_text()[before:] != "hello\n" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert machine.log.read_text()[before:] == "hello\n"
    assert process.poll() is None
    process.kill()
    assert process.wait(10) == -signal.SIGKILL
    with pytest.raises(FileNotFoundError):
        machine.spawn(["no-such-program"], {})


def test_what_programs_of_a_machine_have_counted_is_here_when_it_is_closed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(coverage.FOLDER, str(tmp_path))
    with booted("counting", folder, 4) as made:
        made.run(["sh", "-c", f"printf '\\000\\377' > ${coverage.FOLDER}/run"])
        made.spawn(["sh", "-c", f"echo > ${coverage.FOLDER}/spawned"], {}).wait(10)
        assert list(tmp_path.iterdir()) == []
    assert (tmp_path / "run").read_bytes() == b"\0\xff"
    assert (tmp_path / "spawned").exists()


def test_packets_leave_a_machine_in_their_order(machine: Machine) -> None:
    """A queue that puts some first, or drops what has waited, would mislead the lab's fences."""
    assert " qdisc pfifo " in machine.run(["ip", "link", "show", "mgmt0"]).stdout


def test_what_a_card_is_to_send_is_no_longer_its_senders(machine: Machine) -> None:
    """Or a kernel would discard refusals while others wait for a busy emulator."""
    shown = machine.run(["cat", "/sys/module/virtio_net/parameters/napi_tx"]).stdout
    assert shown == "N\n"


def test_sockets_and_files_of_a_machine(machine: Machine) -> None:
    with machine.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.bind((machine.address, 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
            here.sendto(b"hello", there.getsockname())
            assert there.recv(16) == b"hello"
    sockets = machine.datagrams(socket.AF_INET, machine.address, (0, 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.connect((machine.address, sockets.ports()[0]))
        sockets.send((here.getsockname(),) * 2, (b"one", b"two"))
        here.settimeout(5)
        assert here.recv(16) == b"one"  # the other is not connected to
        here.send(b"answer")
        assert machine.run(["sleep", "0.1"]).returncode == 0
        answer, refused = sockets.received()
    assert answer == ("answer", ())
    assert (refused[0], len(refused[1])) == ("refused", 1)
    sockets.close()
    with machine.open("/proc/sys/net/ipv4/ip_forward", "w") as file:
        file.write("1")
    with machine.open("/proc/sys/net/ipv4/ip_forward") as file:
        assert file.read() == "1\n"
    assert machine.run([str(machine.program(Path("/bin/true").resolve()))]).returncode == 0


def test_machine_that_is_killed_says_so(folder: Path) -> None:
    with booted("doomed", folder, 1) as doomed:
        assert doomed.run(["true"]).returncode == 0
        (qemu,) = (pid for pid, argv in machines(os.getpid()).items() if "doomed" in argv)
        os.kill(qemu, signal.SIGKILL)
        began = time.monotonic()
        with pytest.raises((NodeError, EOFError)):
            doomed.run(["sleep", "60"])
        with pytest.raises(NodeError, match="doomed has ended"):
            doomed.check()
        assert time.monotonic() - began < 10


# --- how a run ends with one ----------------------------------------------------------------------


def test_run_whose_machine_is_killed_is_an_error(tmp_path: Path) -> None:
    """The run ends by itself soon, with an error verdict, and nothing is left."""
    words = [
        "conformance/clusterip/test_delivery.py",
        "--modes=ipvs",
        f"--results={tmp_path}",
        "-n0",
    ]
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", *words],
        cwd=ROOT,
        env=outside(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    results = tmp_path / "results.jsonl"
    while '"type":"result"' not in (results.read_text() if results.exists() else ""):
        assert run.poll() is None, run.communicate()[0]
        results = next(tmp_path.glob("*Z-*/results.jsonl"), results)
        time.sleep(0.1)
    family = descendants(run.pid)
    (qemu,) = machines(run.pid)
    os.kill(qemu, signal.SIGKILL)
    began = time.monotonic()
    said, _ = run.communicate(timeout=60)
    assert time.monotonic() - began < 30
    assert run.returncode == 2, said
    assert "has ended" in said, said
    assert not [pid for pid in family if alive(pid)]
    records = [json.loads(line) for line in results.read_text().splitlines()]
    assert [each["mode"] for each in records if each["type"] == "error"] == ["ipvs"]


# --- what they are made of ------------------------------------------------------------------------


def test_archive_holds_files_links_and_folders(tmp_path: Path) -> None:
    path = tmp_path / "archive.cpio"
    with path.open("wb") as stream:
        archive = Archive(stream)
        archive.file(Path("/a/b/file"), b"content")
        archive.file(Path("/a/other"), b"")
        archive.link(Path("/a/link"), Path("b/file"))
        archive.close()
    data = path.read_bytes()
    assert len(data) % 4 == 0
    entries = {}
    at = 0
    while True:
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        name = data[at + 110 : at + 110 + fields[11] - 1].decode()
        start = at + (110 + fields[11] + 3) // 4 * 4
        at = start + (fields[6] + 3) // 4 * 4
        if name == "TRAILER!!!":
            break
        entries[name] = (oct(fields[1]), data[start : start + fields[6]])
    assert entries == {
        "a": ("0o40755", b""),
        "a/b": ("0o40755", b""),
        "a/b/file": ("0o100755", b"content"),
        "a/other": ("0o100755", b""),
        "a/link": ("0o120777", b"b/file"),
    }


def test_image_is_made_once() -> None:
    chosen = kernel.packaged()
    first = image.build(chosen)
    made = first.stat().st_mtime_ns
    assert image.build(chosen) == first
    assert first.stat().st_mtime_ns == made


def test_default_kernel_is_the_pinned_one() -> None:
    assert kernel.packaged().release == kernel.packaged("6.1").release


def test_kernel_that_cannot_be_downloaded_says_what_apt_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apt = tmp_path / "apt-get"
    apt.write_text(
        "#!/bin/sh\necho 'W: slow' >&2\necho 'E: Failed to fetch: no route' >&2\nexit 100\n"
    )
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ArtifactError, match=r"\(Failed to fetch: no route\)"):
        kernel.packaged()


@pytest.mark.parametrize(
    ("version", "file", "modules", "says"),
    [
        ("9.9", "", "", "no package holds a kernel 9.9"),
        ("", "/no/kernel", "", "--kernel FILE needs --modules"),
        ("", "/no/kernel", "/lib/modules/1", "there is no kernel /no/kernel"),
        ("", "/bin/true", "/", "has no modules.dep"),
    ],
)
def test_kernel_that_cannot_be_had(version: str, file: str, modules: str, says: str) -> None:
    with pytest.raises(ArtifactError, match=says):
        supply.supply(load("kube-proxy"), ["nftables"], "vm", version or file, modules)


def test_machines_are_for_modes_that_this_kernel_cannot_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy = load("kube-proxy")
    assert supply.supply(proxy, ["iptables", "nftables"], "auto") is None
    monkeypatch.setattr(supply, "_succeeds", {TRIAL: False}.get)
    found = supply.supply(proxy, ["iptables", "ipvs"], "auto")
    assert found is not None
    assert found.modes == {"ipvs"}
    assert supply.Machines.of_record(json.loads(json.dumps(found.as_record()))) == found
    monkeypatch.setattr(supply, "_succeeds", {TRIAL: True}.get)
    assert supply.supply(proxy, ["iptables", "ipvs"], "auto") is None


def test_machine_without_qemu_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "program", lambda: None)
    with pytest.raises(ArtifactError, match="installs qemu-system-x86"):
        supply.supply(load("kube-proxy"), ["nftables"], "vm")


def test_kvm_counts_only_where_a_machine_runs_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "PROGRAM", "false")
    assert not accelerator.runs("kvm")
    monkeypatch.undo()
    assert accelerator.runs("tcg", "max")
