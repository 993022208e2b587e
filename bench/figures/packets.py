"""The time that single packets take through a node, by the kernel's own timestamps.

A packet's way begins when the lab's end of the pod wire hands it to the node, and ends when the
node's frame arrives at the lab's end of the external wire. The kernel notes both times in software:
the first on the error queue of the socket that sends (SO_TIMESTAMPING, see the kernel's
Documentation/networking/timestamping.rst), the second in the ring of the wire that receives
(packet(7)). One packet is under way at a time. What it costs to take the times is in them; a node
without a proxy, measured in turn with the others, shows how much that is.
"""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING, Final

import numpy as np

from clusters import netns
from clusters.wires import Frames
from fixtures.lab import frames as fr
from fixtures.lab.cpu import on_one_cpu
from fixtures.lab.frames import Kind
from fixtures.lab.lab import Lab, Segment, stamped
from fixtures.lab.sample import to_bytes
from specification.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clusters.contract import Node
    from fixtures.clients.flows import Flows
    from fixtures.lab.frames import Bytes
    from specification.addresses import IPAddress
    from specification.attempts import SocketAddress

_SO_TIMESTAMPING: Final = 37
_TX_SOFTWARE, _SOFTWARE, _OPT_TSONLY = 1 << 1, 1 << 4, 1 << 11
_TIMES = struct.Struct("6q")  # struct scm_timestamping: software, and two that we don't ask for
_PATIENCE: Final = 2.0  # seconds for one packet: a node that takes longer has dropped it
_PIECE: Final = 512  # frames that the kernel's backlog holds for certain


def opening(lab: Lab, client: IPAddress, targets: Sequence[SocketAddress]) -> Bytes:
    """A TCP SYN to each of the targets, from a pod on the node, each from another port."""
    ends = to_bytes([client]), to_bytes([target.address for target in targets])
    ports = np.array([target.port for target in targets])
    return lab.frames(lab.attempts("IPv4", "TCP", *ends, ports), "pod")


def following(lab: Lab, flows: Flows, count: int) -> Bytes:
    """``count`` segments of connections that are open, those of each flow in turn."""
    rows = np.arange(count) % len(flows)
    opened = flows.opened
    sample = lab.attempts(
        "IPv4",
        "TCP",
        opened.clients[rows],
        opened.targets[rows],
        opened.target_ports[rows],
        opened.client_ports[rows],
    )
    numbers = opened.ids[rows] + 1, opened.reply_sequences[rows] + 1
    return lab.frames(sample, "pod", Segment(Kind.DATA, *numbers))


class Stopwatch:
    """Times packets from the pod wire to the external wire of one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._out = node.wires["external"]
        wire = node.wires["pod"]
        with netns.inside(wire.namespace):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.bind((wire.interface, 0))
        flags = _TX_SOFTWARE | _SOFTWARE | _OPT_TSONLY
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPING, flags)

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def times(self, frames: Bytes) -> list[float]:
        """Microseconds that each of the frames, sent one after another, took through the node.

        Raises:
            WireError: one did not come out, or another one did.
        """
        self._clear()
        left: list[int] = []
        came: list[Frames] = []
        with on_one_cpu():
            for frame in frames:
                self._socket.send(frame)
                came.append(self._next(len(came)))
                left.append(self._departure())
        arrived = np.concatenate([each.time for each in came])
        ids = np.concatenate([part.id for each in came for part in fr.parse(each)])
        expected = np.concatenate([part.id for part in fr.parse(stamped(frames))])
        if len(ids) != len(frames) or (ids != expected).any():
            raise WireError(f"other packets than ours came out of {self._node.name}")
        taken: list[float] = ((arrived - np.array(left)) / 1000.0).tolist()
        return taken

    def rate(self, frames: Bytes) -> float:
        """How many of the frames the node handles in a second, when one processor sends them as
        fast as it can and handles them itself.
        """
        self._clear()
        wire = self._node.wires["pod"]
        with on_one_cpu():
            start = time.perf_counter()
            for first in range(0, len(frames), _PIECE):
                piece = frames[first : first + _PIECE]
                wire.send(piece)
                missing = len(piece)
                while missing > 0:
                    missing -= len(self._next(first))
            elapsed = time.perf_counter() - start
        self._node.check_losses()
        return len(frames) / elapsed

    def _next(self, count: int) -> Frames:
        deadline = time.monotonic() + _PATIENCE
        while True:
            found = self._out.receive()
            if found is not None:
                return found
            if time.monotonic() > deadline:
                raise WireError(f"{self._node.name} let packet {count + 1} of a series not through")
            self._out.wait(0.1)

    def _departure(self) -> int:
        """When the frame just sent left, in nanoseconds since the epoch."""
        _, ancillary, _, _ = self._socket.recvmsg(0, 256, socket.MSG_ERRQUEUE)
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPING:
                seconds, nanoseconds, *_ = _TIMES.unpack_from(data)
                return int(seconds) * 1_000_000_000 + int(nanoseconds)
        raise WireError("this kernel tells no time of departure (SO_TIMESTAMPING)")

    def _clear(self) -> None:
        while self._out.receive() is not None:
            pass
