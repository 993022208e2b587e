"""Raw frames on a wire, by the thousand: a memory-mapped receive ring and batched sends
(packet(7)).

A wire is the lab's end of a link to the node under test. Frames leave it in batches of one system
call and are read from the kernel's ring as numpy arrays, so that the node, not Python, is what
limits a probe.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import select
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from clusters import netns
from specification.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_SOL_PACKET = 263
_PACKET_RX_RING = 5
_PACKET_STATISTICS = 6
_PACKET_VERSION = 10
_PACKET_IGNORE_OUTGOING = 23
_TPACKET_V2 = 1
_ETH_P_ALL = 3
_STATUS_USER = 1  # the slot is ours to read (linux/if_packet.h, TP_STATUS_USER)
_STATUS_UNSUMMED = 8  # TP_STATUS_CSUMNOTREADY

_SLOT = 2048  # bytes: header and a frame of up to 1,500 bytes payload
_BLOCK = 1 << 16
_SLOTS = 8192

_QUEUE = 4096  # frames that a machine's link holds until the machine takes them

MTU = 1500


@dataclass(frozen=True)
class Link:
    """A link to a node: ``interface`` on the node, and its peer here, which is in the lab's
    ``namespace`` or, in ours, a port of ``bridge``.
    """

    interface: str
    node_mac: bytes
    peer: str
    namespace: str | None = None
    bridge: str | None = None
    peer_mac: bytes = b""

    def raise_peer(self) -> None:
        """Put the peer, which has just been made, into operation."""
        if self.namespace:
            # it only carries frames: its kernel must not answer anything by itself
            with netns.inside(self.namespace):
                Path(f"/proc/sys/net/ipv6/conf/{self.peer}/disable_ipv6").write_text("1")
            settings = f"mtu {MTU} txqueuelen {_QUEUE} address {self.peer_mac.hex(':')} arp off"
        else:
            settings = f"master {self.bridge}"
        netns.configure(self.namespace, [f"link set {self.peer} {settings} up"])


@dataclass(frozen=True)
class Frames:
    """Frames as they were on the wire: ``data`` is (count, width), padded behind ``length``."""

    data: NDArray[np.uint8]
    length: NDArray[np.int64]
    time: NDArray[np.int64]
    """When the kernel saw each frame, in nanoseconds since the epoch."""
    unsummed: NDArray[np.bool_] | None = None
    """Which of them have transport checksums that a card is still to fill in, if any has."""

    def __len__(self) -> int:
        return len(self.length)

    def __getitem__(self, position: int) -> bytes:
        return self.data[position, : self.length[position]].tobytes()


# struct mmsghdr and struct iovec (sendmmsg(2)) on 64-bit Linux; narrow members are widened by their
# padding
_HEADER_FIELDS = "name name_length parts parts_count control control_length flags sent"
_HEADER = np.dtype([(name, "u8") for name in _HEADER_FIELDS.split()])
_PART = np.dtype([("base", "u8"), ("length", "u8")])

_libc = ctypes.CDLL(None, use_errno=True)


class Wire:
    """One link between the lab and the node: ``interface`` in the lab's namespace ``namespace``."""

    def __init__(
        self, name: str, namespace: str, interface: str, lab_mac: bytes, node_mac: bytes
    ) -> None:
        self.name = name
        self.lab_mac = lab_mac
        self.node_mac = node_mac
        self.namespace = namespace
        self.interface = interface
        with netns.inside(namespace):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self._socket.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V2)
            self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            blocks = _SLOTS * _SLOT // _BLOCK
            self._socket.setsockopt(
                _SOL_PACKET, _PACKET_RX_RING, struct.pack("4I", _BLOCK, blocks, _SLOT, _SLOTS)
            )
            self._socket.bind((interface, _ETH_P_ALL))
        self._map = mmap.mmap(self._socket.fileno(), _SLOTS * _SLOT)
        self._ring = np.frombuffer(self._map, np.uint8).reshape(_SLOTS, _SLOT)
        words = self._ring.view(np.uint32)
        self._status, self._captured = words[:, 0], words[:, 2]
        self._seconds, self._nanoseconds = words[:, 4], words[:, 5]
        self._offset = self._ring.view(np.uint16)[:, 6]
        self._next = 0
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)

    def __repr__(self) -> str:
        return f"<{self.name} wire>"

    def send(self, frames: NDArray[np.uint8], lengths: NDArray[np.int64] | None = None) -> None:
        """Send the rows of ``frames`` (count, width) in order; ``lengths`` where rows are padded.

        Raises:
            WireError: the kernel did not take a frame.
        """
        count, width = frames.shape
        if not count:
            return
        frames = np.ascontiguousarray(frames)
        parts = np.empty(count, _PART)
        parts["base"] = frames.ctypes.data + np.arange(count, dtype=np.uint64) * np.uint64(width)
        parts["length"] = width if lengths is None else lengths
        headers = np.zeros(count, _HEADER)
        headers["parts"] = parts.ctypes.data + np.arange(count, dtype=np.uint64) * np.uint64(
            _PART.itemsize
        )
        headers["parts_count"] = 1
        done = 0
        while done < count:
            start = headers.ctypes.data + done * _HEADER.itemsize
            sent = _libc.sendmmsg(self._socket.fileno(), ctypes.c_void_p(start), count - done, 0)
            if sent < 0:
                number = ctypes.get_errno()
                raise WireError(
                    f"the {self.name} wire took {done} of {count} frames: {os.strerror(number)}"
                )
            done += sent

    def receive(self, limit: int = 2048) -> Frames | None:
        """Take up to ``limit`` frames that have arrived, without waiting; ``None`` where there are
        none.
        """
        head = self._next
        if not self._status[head] & _STATUS_USER:
            return None
        status = self._status[head : head + limit]
        taken = (status & _STATUS_USER) == 0
        count = int(taken.argmax()) if taken.any() else len(status)
        here = slice(head, head + count)
        lengths = self._captured[here].astype(np.int64)
        offset = int(self._offset[head])
        data = self._ring[here, offset : offset + int(lengths.max())].copy()
        time = self._seconds[here].astype(np.int64) * 1_000_000_000 + self._nanoseconds[here]
        unsummed = (self._status[here] & _STATUS_UNSUMMED) > 0
        self._status[here] = 0
        self._next = (head + count) % _SLOTS
        return Frames(data, lengths, time, unsummed if unsummed.any() else None)

    def wait(self, timeout: float) -> None:
        """Return as soon as a frame can be received, after ``timeout`` seconds at the latest."""
        if not self._status[self._next] & _STATUS_USER:
            self._poll.poll(timeout * 1000)

    def check_losses(self) -> None:
        """Raise WireError if the receive ring has overflowed or the link has dropped a frame since
        last time.
        """
        _, dropped = struct.unpack(
            "II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        )
        if dropped:
            raise WireError(
                f"the {self.name} wire's receive ring lost {dropped} frames: probe in smaller"
                " batches"
            )

    def close(self) -> None:
        """Give the ring and the socket back."""
        del self._ring, self._status, self._captured, self._seconds, self._nanoseconds, self._offset
        self._map.close()
        self._socket.close()


class DropCounter:
    """Counts the frames that some interfaces have dropped for want of room, in ``counters``: the
    /proc/net/dev of their network stack, open.
    """

    def __init__(self, counters: IO[str], interfaces: Iterable[str]) -> None:
        self._file = counters
        self._interfaces = set(interfaces)

    def read(self) -> int:
        """Frames dropped since the interfaces were made, in both directions."""
        self._file.seek(0)
        total = 0
        for line in self._file.read().splitlines():
            name, _, counters = line.partition(":")
            if name.strip() in self._interfaces:
                fields = counters.split()
                total += int(fields[3]) + int(fields[11])
        return total
