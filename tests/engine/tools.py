"""What tests of the engine are made with: frames, rules, clients and endpoints."""

from __future__ import annotations

import random
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

import numpy as np
from scapy.compat import raw
from scapy.layers.inet import TCP, UDP
from scapy.layers.l2 import Ether
from scapy.layers.sctp import SCTP
from scapy.packet import Raw

from clusters import implementation
from clusters.simulated.judged import IMPLEMENTATION
from clusters.simulated.kernel import Answer, Decision, Deliver, Pass
from clusters.simulated.proxy import SpecifiedProxy
from clusters.wires import Frames
from fixtures.clients.client import LabClient
from fixtures.lab.frames import Kind, build, parse
from fixtures.lab.lab import stamped
from fixtures.lab.sample import to_bytes
from specification.attempts import SocketAddress
from specification.places import Host

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scapy.packet import Packet

    from clusters.simulated.api import MemoryApi
    from fixtures.lab.lab import Lab
    from specification.addresses import Family, IPAddress
    from specification.attempts import Attempt
    from specification.places import Place
    from specification.services import Protocol

VIPS: dict[Family, IPAddress] = {
    "IPv4": ip_address("10.96.0.10"),
    "IPv6": ip_address("fd00:96::10"),
}
"""A cluster IP of each family."""

PORT = 80


class Rules:
    """A proxy's rules for ``VIPS`` at ``PORT``: what may become of a connection to them; all else
    passes.
    """

    def __init__(self) -> None:
        self.decisions: Callable[[SocketAddress], Sequence[Decision]] = lambda _client: [Pass()]
        self.asked: list[Attempt] = []
        """What was asked about the cluster IPs."""
        self._random = random.Random(1)

    def __call__(self, attempt: Attempt, _place: Place) -> Decision:
        if attempt.target not in {(address, PORT) for address in VIPS.values()}:
            return Pass()
        self.asked.append(attempt)
        return self._random.choice(self.decisions(attempt.client))

    def always(self, *decisions: Decision) -> None:
        """Decide one of these from now on, whoever the client is."""
        self.decisions = lambda _client: decisions


def _answered(data: bytes) -> bytes:
    """The answer to an IP packet that opens a connection."""
    ether = bytes(12) + (b"\x08\x00" if data[0] >> 4 == 4 else b"\x86\xdd") + data
    (packet,) = parse(stamped(np.frombuffer(ether, np.uint8)[None]))
    (answer,) = build(
        packet.family,
        packet.protocol,
        Kind.ANSWER,
        (bytes(6), bytes(6)),
        packet.destination,
        packet.source,
        packet.destination_port,
        packet.source_port,
        packet.id,
        acknowledgement=(packet.sequence + 1) & 0xFFFFFFFF,
        reply=True,
    )
    return bytes(answer[14:])


ANSWER = Answer(_answered)


def specified(api: MemoryApi, node_name: str = "simulated", seed: int = 1) -> SpecifiedProxy:
    """The specification as the proxy of a node; it is not started."""
    described = implementation.load(str(IMPLEMENTATION))
    return SpecifiedProxy(described, "specification", api, node_name, seed)


def host(place: Place, number: int, family: Family, port: int = 8080) -> SocketAddress:
    """A port of a lab host."""
    node = 0 if place in ("pod", "outside") else 1
    return SocketAddress(Host(place, number, node).address(family), port)


def delivery(place: Place, number: int, family: Family, *, masquerade: bool = False) -> Deliver:
    """Delivery to a lab host, as the node where ``masquerade`` holds."""
    source = Host("remote-node", 0, 0).address(family) if masquerade else None
    return Deliver(host(place, number, family), source)


def client(lab: Lab, place: Place, family: Family, protocol: Protocol = "TCP") -> LabClient:
    """A client at ``place``: the host number 300."""
    return LabClient(lab, Host(place, 300, int(place == "remote-pod")), family, protocol)


# --- frames ---

LAB, NODE = bytes.fromhex("0200000000fe"), bytes.fromhex("020000000001")
MAC = "02:00:00:00:00:01"
ETHERNET = Ether(src=MAC, dst=MAC)  # or scapy would look for addresses on the machine's networks
TIME = 1_700_000_000_123_456_789


class Table:
    """The columns of a batch, drawn from a seed: addresses, ports and numbers at their ends too."""

    def __init__(self, family: Family, seed: int, count: int = 40) -> None:
        draw = random.Random(seed)
        self.family = family
        self.sources = [self._address(draw) for _ in range(count)]
        self.destinations = [self._address(draw) for _ in range(count)]
        self.source_ports = self._numbers(draw, 16, count)
        self.destination_ports = self._numbers(draw, 16, count)
        self.ids = self._numbers(draw, 32, count)
        self.sequences = self._numbers(draw, 32, count)
        self.acknowledgements = self._numbers(draw, 32, count)

    def _address(self, draw: random.Random) -> IPAddress:
        if self.family == "IPv4":
            return IPv4Address(draw.getrandbits(32))
        return IPv6Address(draw.getrandbits(128))

    def _numbers(self, draw: random.Random, bits: int, count: int) -> list[int]:
        return [0, (1 << bits) - 1, *(draw.getrandbits(bits) for _ in range(count - 2))]

    def build(self, protocol: Protocol, kind: int, *, reply: bool) -> list[bytes]:
        frames = build(
            self.family,
            protocol,
            kind,
            (LAB, NODE),
            to_bytes(self.sources),
            to_bytes(self.destinations),
            np.array(self.source_ports),
            np.array(self.destination_ports),
            np.array(self.ids),
            sequence=np.array(self.sequences),
            acknowledgement=np.array(self.acknowledgements),
            reply=reply,
        )
        return [frame.tobytes() for frame in frames]


def recomputed(frame: bytes) -> bytes:
    """The frame with every length and checksum written anew by scapy."""
    packet = Ether(frame)
    network = packet.payload
    for layer in (network, network.payload):
        for name in {"chksum", "cksum", "len", "plen", "ihl"} & set(layer.fields):
            layer.delfieldval(name)  # which has scapy forget the bytes that it was made of
    return bytes(raw(packet))


def frames(*packets: Packet | bytes, cut: int | None = None) -> Frames:
    """Packets as a wire hands them over, padded to one width, cut to so many bytes."""
    whole = [
        packet if isinstance(packet, bytes) else bytes(ETHERNET / packet) for packet in packets
    ]
    whole = [each[:cut] for each in whole]
    width = max(map(len, whole))
    data = b"".join(each.ljust(width, b"\0") for each in whole)
    lengths = np.array([len(each) for each in whole])
    times = TIME + np.arange(len(whole))
    return Frames(np.frombuffer(data, np.uint8).reshape(len(whole), -1), lengths, times)


def is_fence(frame: bytes) -> bool:
    packet = Ether(frame)
    return UDP in packet and packet[UDP].dport == 9


# --- what a node may do to frames ---

Alter = Callable[["Packet"], object]
"""Alters a frame; what it returns is the frame as it is to be, unless that is ``None``."""


def set_of(layer: type[Packet], **values: object) -> Alter:
    """Other values in the headers of frames that have such a one."""

    def alter(frame: Packet) -> None:
        for name, value in values.items() if layer in frame else ():
            setattr(frame[layer], name, value)

    return alter


def together(*alterations: Alter) -> Alter:
    def alter(frame: Packet) -> None:
        for each in alterations:
            each(frame)

    return alter


def longer(frame: Packet) -> bytes:
    longer = frame / Raw(b"\0")
    for layer in (longer.payload, longer.payload.payload):
        for name in {"chksum", "len", "plen"} & set(layer.fields):
            layer.delfieldval(name)
    return bytes(longer)


def ends_otherwise(frame: Packet) -> bytes:
    whole = bytes(frame)
    carries = SCTP in frame or Raw in frame
    return recomputed(whole[:-1] + bytes([whole[-1] ^ carries]))


def without_options(frame: Packet) -> bytes:
    if TCP in frame:
        frame[TCP].options = []
        frame[TCP].dataofs = 5
    return recomputed(bytes(frame))


def wrong_sum(layer: type[Packet], value: int | None = None) -> Alter:
    """A sum that is not right, or ``value``, and all else as it was."""

    def alter(frame: Packet) -> bytes:
        if layer in frame:
            frame[layer].chksum = frame[layer].chksum ^ 0x1234 if value is None else value
        return bytes(frame)

    return alter


def altering(alter: Alter, wire: str = "") -> Callable[[str, bytes], list[bytes]]:
    """What alters all that leaves on a wire, or on both, but fences, and puts checksums right."""

    def leave(where: str, frame: bytes) -> list[bytes]:
        if wire not in ("", where) or is_fence(frame):
            return [frame]
        packet = Ether(frame)
        altered = alter(packet)
        return [altered if isinstance(altered, bytes) else recomputed(bytes(packet))]

    return leave
