"""A virtual machine as a node's system: QEMU, and RPyC's server in it to use it from outside.

Its interfaces are taps on the lab's wires, one virtual CPU keeps the order of packets, and nothing
of it outlives the process that started it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING

from clusters import netns, sockets
from clusters.build import coverage
from clusters.inspection.machine import host as inspect_host
from clusters.process import Daemon, LocalProcess
from clusters.vm import accelerator
from clusters.vm.connection import PORT, Connections
from clusters.vm.initramfs import INSTALLED, with_programs
from clusters.vm.process import RemoteProcess
from specification.addresses import FAMILIES, Family, IPAddress, node_address
from specification.errors import NodeError, StartError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clusters.sockets import Datagrams, Streams
    from clusters.vm.kernel import Kernel
    from clusters.wires import Link

_MEMORY = 1024  # MiB: rules and objects of thousands of Services, beside what the image unpacks to
_BOOT_TIMEOUT = 120.0

_FAST = (
    # QEMU translates a program anew at every address: at a fixed one it starts five times faster
    "norandmaps",
    # nobody attacks from inside
    "mitigations=off",
    "init_on_alloc=0",
    "lsm=",
    "audit=0",
    # changes of rules wait for grace periods, which take tens of milliseconds
    "rcupdate.rcu_expedited=1",
)
"""Kernel parameters that save time and change nothing that a packet could tell."""

_EMULATED_FAST = (
    # every timer that is set wakes QEMU's own loop: now only those of whole ticks, 4 ms
    "highres=off",
)
"""Those for an emulated processor, whose time is not worth measuring in microseconds."""

_CONNTRACK = "nf_conntrack.hashsize=32768"
"""Room for 262,144 connections, as on a large node; a machine of this memory would have 8,192, and
forget some of a large sample.
"""

_SENT = "virtio_net.napi_tx=0"
"""What a card has been given is no longer its sender's: a kernel discards ICMP errors while some
hundred of them wait to be taken by a busy emulator.
"""

_TUNSETIFF = 0x400454CA  # linux/if_tun.h
_IFF_TAP, _IFF_NO_PI = 0x0002, 0x1000


class Machine:
    """A virtual machine with an interface for each of ``links``; the last is the management wire's
    and has ``address``. It has ``programs`` of this one, which are static or need libraries that
    its own tools need too.

    Raises:
        NodeError: it did not start; the message ends with its console's last lines.
    """

    addresses: Mapping[Family, IPAddress] = {each: node_address(0, each) for each in FAMILIES}

    keeps_order = False

    def __init__(
        self,
        name: str,
        folder: Path,
        kernel: Kernel,
        image: Path,
        links: Sequence[Link],
        address: str,
        programs: Sequence[Path] = (),
    ) -> None:
        self.name = name
        self.log = folder / "proxy.log"
        self.console = folder / "console.log"
        """What its kernel prints."""
        self.emulated = accelerator.emulates()
        self.description: Mapping[str, str] = {
            "kind": "vm",
            "kernel": kernel.release,
            "accelerator": accelerator.name(),
        }
        self.address = address
        """Its address on the management wire."""
        self._connections = Connections(address, self.check, self._lost)
        self._counters = os.environ.get(coverage.FOLDER, "")
        """A folder of this machine for what programs count there into one of the same name."""
        folder.mkdir(parents=True, exist_ok=True)
        self.log.touch()
        whole = folder / "image.cpio"
        with_programs(image, programs, whole)
        try:
            self._qemu = self._power_on(kernel, whole, links)
            threading.Thread(target=self._hang_up_at_the_end, daemon=True).start()
            with contextlib.ExitStack() as stack:
                stack.callback(self.close)
                self._qemu.wait_ready(self._connections.answers, _BOOT_TIMEOUT)
                stack.pop_all()
        except StartError as problem:
            raise NodeError(str(problem)) from None
        whole.unlink()  # a file in memory, as a rule
        self.run(["mkdir", "-p", str(folder)])
        if self._counters:
            self.run(["mkdir", "-p", self._counters])
            self._connections.remote.modules.os.environ[coverage.FOLDER] = self._counters
        self.host = inspect_host(self)

    def __repr__(self) -> str:
        return f"<virtual machine {self.name}>"

    # --- clusters.system.System -------------------------------------------------------------------

    def run(
        self,
        argv: Sequence[str],
        *,
        check: bool = True,
        input: str | None = None,  # noqa: A002
        timeout: float = 60.0,
    ) -> subprocess.CompletedProcess[str]:
        """See System."""
        result = subprocess.CompletedProcess(
            list(argv), *self._connections.agent("run")(tuple(argv), input or "", timeout)
        )
        if check:
            result.check_returncode()
        return result

    def spawn(self, argv: Sequence[str], environment: Mapping[str, str]) -> RemoteProcess:
        """See System."""
        return RemoteProcess(self._connections, argv, environment)

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """See System."""
        made: socket.socket = self._connections.remote.modules.socket.socket(
            int(family), int(kind), protocol
        )
        return made

    def datagrams(self, family: int, address: str, ports: Sequence[int]) -> Datagrams:
        """See System."""
        made: Datagrams = self._connections.defined(sockets)["Datagrams"](
            int(family), address, tuple(ports)
        )
        return made

    def streams(
        self, family: int, address: str, targets: Sequence[tuple[str, int]], ports: Sequence[int]
    ) -> Streams:
        """See System."""
        made: Streams = self._connections.defined(sockets)["Streams"](
            int(family), address, tuple(targets), tuple(ports)
        )
        return made

    def open(self, path: str | Path, mode: str = "r") -> IO[str]:
        """See System."""
        opened: IO[str] = self._connections.remote.builtins.open(str(path), mode)
        return opened

    def program(self, path: Path) -> Path:
        """See System."""
        return INSTALLED / path.name

    def enter_command(self) -> str:
        """See System."""
        return f"{sys.executable} -m clusters.vm.shell {self.address}"

    def check(self) -> None:
        """See System."""
        if not self._qemu.running:
            raise self._error(f"has ended ({self._qemu!r})")

    def close(self) -> None:
        """See System."""
        if self._counters:
            self._bring_out(Path(self._counters))
        self._connections.close()
        self._qemu.kill()

    # --- how it is made ---------------------------------------------------------------------------

    def _power_on(self, kernel: Kernel, image: Path, links: Sequence[Link]) -> Daemon:
        """Start QEMU; the taps are its own then."""
        interfaces = ",".join(f"{link.interface}/{link.node_mac.hex(':')}" for link in links)
        options = [
            "console=ttyS0 panic=-1 quiet loglevel=4 random.trust_cpu=on",
            *_FAST,
            *(_EMULATED_FAST if self.emulated else ()),
            _CONNTRACK,
            _SENT,
            f"node.interfaces={interfaces} node.address={self.address}/24 node.port={PORT}",
        ]
        argv = [
            *(accelerator.PROGRAM, "-name", self.name),
            *("-machine", "q35", "-accel", accelerator.option(), "-cpu", accelerator.processor()),
            *("-smp", "1", "-m", str(_MEMORY)),
            *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-kernel", str(kernel.image), "-initrd", str(image), "-append", " ".join(options)),
            *("-serial", "stdio", "-device", "virtio-rng-pci", "-device", "virtio-serial-pci"),
            *("-chardev", f"file,id=log,path={self.log},append=on"),
            *("-device", "virtserialport,chardev=log,name=log"),
        ]
        with contextlib.ExitStack() as stack:
            taps = [_tap(link, stack) for link in links]
            for link, tap in zip(links, taps, strict=True):
                name, mac = link.interface, link.node_mac.hex(":")
                argv += ["-netdev", f"tap,id={name},fd={tap}"]
                argv += ["-device", f"virtio-net-pci,netdev={name},mac={mac},romfile="]
            return Daemon(
                self.name, lambda: LocalProcess(argv, self.console, pass_fds=taps), self.console
            )

    def _bring_out(self, folder: Path) -> None:
        """Copy the files of a folder out of the machine, unless that has ended."""
        with contextlib.suppress(NodeError, OSError, EOFError):
            remote = self._connections.remote
            for name in list(remote.modules.os.listdir(str(folder))):
                with remote.builtins.open(str(folder / name), "rb") as file:
                    (folder / name).write_bytes(file.read())

    def _hang_up_at_the_end(self) -> None:
        self._qemu.wait(None)
        self._connections.hang_up()

    def _lost(self, problem: OSError) -> NodeError:
        self.check()
        return self._error(f"does not answer ({problem})")

    def _error(self, what: str) -> NodeError:
        lines = self._qemu.last_lines()
        return NodeError(f"{self.name} {what}; the end of its console:\n{lines}")


def _tap(link: Link, here: contextlib.ExitStack) -> int:
    """Make the lab's end of a link, in its namespace, for as long as the descriptor is open; it is
    closed with ``here``.
    """
    with netns.inside(link.namespace) if link.namespace else contextlib.nullcontext():
        tap = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        here.callback(os.close, tap)
        request = struct.pack("16sH", link.peer.encode(), _IFF_TAP | _IFF_NO_PI)
        fcntl.ioctl(tap, _TUNSETIFF, request)
    link.raise_peer()
    return tap
