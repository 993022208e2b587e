"""Network namespaces: making them, and doing a thing inside one from this process."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from specification.errors import NetworkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_CLONE_NEWNET = 0x40000000
_SIOCETHTOOL = 0x8946
_ETHTOOL_STXCSUM = 0x17
_NETLINK_NETFILTER = 12
_CT_DELETE = 1 << 8 | 2  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE: all, where no tuple is given
_REQUEST, _ACKNOWLEDGE = 1, 4  # NLM_F_REQUEST, NLM_F_ACK
_libc = ctypes.CDLL(None, use_errno=True)


def path(name: str) -> Path:
    """Where iproute2 keeps the namespace of that name."""
    return Path("/run/netns") / name


def add(name: str) -> None:
    """Make an empty network namespace; raises NetworkError where one of that name exists."""
    _ip(["netns", "add", name])


def add_bridge(name: str, address: str) -> None:
    """Make a bridge in our namespace, with an address such as 100.64.0.1/24."""
    made = f"link add {name} type bridge", f"addr add {address} dev {name}"
    configure(None, [*made, f"link set {name} up"])


def adopt(name: str, file: Path) -> None:
    """Give the namespace that ``file`` leads to, such as /proc/42/ns/net, a name of ours.

    Raises NetworkError where there is none.
    """
    place = path(name)
    place.parent.mkdir(exist_ok=True)
    place.touch()
    argv = ["mount", "--bind", str(file), str(place)]
    done = subprocess.run(argv, text=True, capture_output=True, check=False)
    if done.returncode:
        raise NetworkError(f"{file} cannot be entered: {done.stderr.strip()}")


def delete(name: str) -> None:
    """Remove a network namespace with all it holds; a missing one is no error."""
    subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def configure(name: str | None, commands: Iterable[str]) -> None:
    """Run iproute2 commands (without the leading ``ip``) in one batch, in the namespace ``name`` or
    in ours.
    """
    _ip([*(["-n", name] if name else []), "-batch", "-"], "\n".join(commands) + "\n")


def _ip(arguments: list[str], batch: str | None = None) -> None:
    argv = ["ip", *arguments]
    done = subprocess.run(argv, input=batch, text=True, capture_output=True, check=False)
    if done.returncode:
        raise NetworkError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


@contextlib.contextmanager
def inside(name: str) -> Iterator[None]:
    """Have the calling thread use the namespace ``name``; sockets made here stay there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(path(name), os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(there)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(there)
        os.close(home)


def _setns(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")


class Conntrack:
    """A connection to the conntrack of a network stack, to empty it within microseconds;
    ``open_socket`` opens a socket there.
    """

    def __init__(self, open_socket: Callable[[int, int, int], socket.socket]) -> None:
        self._socket = open_socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        self._socket.bind((0, 0))

    def flush(self) -> None:
        """Delete every entry, of all families; raises NetworkError where the kernel refuses."""
        header = struct.pack("=IHHII", 20, _CT_DELETE, _REQUEST | _ACKNOWLEDGE, 1, 0)
        self._socket.send(header + struct.pack("=BBH", socket.AF_UNSPEC, 0, 0))
        (error,) = struct.unpack_from("=i", self._socket.recv(4096), 16)
        if error:
            raise NetworkError(f"conntrack could not be emptied: {os.strerror(-error)}")

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()


def checksum_offload_off(name: str, interface: str) -> None:
    """Have the kernel write whole checksums on ``interface`` (as ethtool -K tx off does)."""
    value = ctypes.create_string_buffer(struct.pack("II", _ETHTOOL_STXCSUM, 0))
    request = struct.pack("16sP", interface.encode(), ctypes.addressof(value))
    with inside(name), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCETHTOOL, request)
