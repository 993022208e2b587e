"""Address resolution by the lab: what it asks, what it understands, what it answers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from clusters.wires import Frames
from fixtures.lab import Lab
from fixtures.neighbours import Neighbours

NODE, LAB = "02:00:00:00:e0:01", "02:00:00:00:e0:fe"


class Wire:
    """Stands in for a lab with a node that answers by `reply`."""

    def __init__(self, reply: Callable[[Packet], Packet | None] = lambda _: None) -> None:
        mac = bytes.fromhex(LAB.replace(":", ""))
        self.node = SimpleNamespace(wires={"external": SimpleNamespace(lab_mac=mac)})
        self.listeners: list[Callable[[str, Frames], int]] = []
        self.sent: list[Packet] = []
        self.dealt_with = 0
        self._reply = reply

    @contextlib.contextmanager
    def observing(self, _sample: None) -> Iterator[None]:
        yield

    def send_raw(self, _wire: str, frame: bytes) -> None:
        packet = Ether(frame)
        self.sent.append(packet)
        if answer := self._reply(packet):
            self.arrive(answer)

    def arrive(self, packet: Packet, wire: str = "external") -> None:
        data = np.frombuffer(bytes(packet), np.uint8)[None, :]
        frames = Frames(data, np.array([data.shape[1]]), np.array([0]))
        for listener in list(self.listeners):
            self.dealt_with += listener(wire, frames)


def arp_reply(address: str) -> Packet:
    return Ether(src=NODE, dst=LAB) / ARP(op=2, hwsrc=NODE, psrc=address, pdst="192.0.2.1")


def advertisement(address: str) -> Packet:
    network = IPv6(src=address, dst="2001:db8:0:1::1", hlim=255)
    return Ether(src=NODE, dst=LAB) / network / ICMPv6ND_NA(tgt=address)


def arp_request(address: str) -> Packet:
    question = ARP(op=1, hwsrc=NODE, psrc="192.0.2.10", pdst=address)
    return Ether(src=NODE, dst="ff:ff:ff:ff:ff:ff") / question


def solicitation(address: str) -> Packet:
    network = IPv6(src="2001:db8:0:1::a", dst="ff02::1:ff00:1", hlim=255)
    question = ICMPv6ND_NS(tgt=address) / ICMPv6NDOptSrcLLAddr(lladdr=NODE)
    return Ether(src=NODE, dst="33:33:ff:00:00:01") / network / question


def neighbours(wire: Wire) -> Neighbours:
    return Neighbours(cast("Lab", wire), "external")


@pytest.mark.parametrize(
    ("address", "reply"), [("192.0.2.10", arp_reply), ("2001:db8:0:1::a", advertisement)]
)
def test_an_answer_names_the_owner(address: str, reply: Callable[[str], Packet]) -> None:
    wire = Wire(lambda _: reply(address))
    assert neighbours(wire).ask(ip_address(address)) == [bytes.fromhex(NODE.replace(":", ""))]
    assert not wire.listeners


@pytest.mark.parametrize("address", ["10.96.0.1", "fd00:96::1"])
def test_silence_and_answers_for_others_name_nobody(address: str) -> None:
    assert neighbours(Wire()).ask(ip_address(address)) == []
    other = arp_reply("192.0.2.10") if "." in address else advertisement("2001:db8:0:1::a")
    assert neighbours(Wire(lambda _: other)).ask(ip_address(address)) == []


def test_questions_are_addressed_as_hosts_address_them() -> None:
    wire = Wire()
    neighbours(wire).ask(ip_address("10.96.0.1"))
    neighbours(wire).ask(ip_address("fd00:96::12:3456"))
    arp, nd = wire.sent
    assert (arp.dst, arp[ARP].op, arp[ARP].pdst) == ("ff:ff:ff:ff:ff:ff", 1, "10.96.0.1")
    assert arp[ARP].psrc == "192.0.2.1"
    assert (nd.dst, nd[IPv6].dst, nd[IPv6].hlim) == ("33:33:ff:12:34:56", "ff02::1:ff12:3456", 255)
    assert nd[ICMPv6ND_NS].tgt == "fd00:96::12:3456"


def test_lab_answers_for_its_own_addresses_only() -> None:
    wire = Wire()
    ours = {ip_address("192.0.2.77"), ip_address("2001:db8:0:1::77")}
    with neighbours(wire).answering(ours) as asked:
        for question in (arp_request, solicitation):
            wire.arrive(question("192.0.2.77" if question is arp_request else "2001:db8:0:1::77"))
            wire.arrive(question("192.0.2.78" if question is arp_request else "2001:db8:0:1::78"))
    assert [str(address) for address in asked] == [
        "192.0.2.77",
        "192.0.2.78",
        "2001:db8:0:1::77",
        "2001:db8:0:1::78",
    ]
    assert wire.dealt_with == 4
    arp, nd = wire.sent
    assert (arp.dst, arp[ARP].op, arp[ARP].psrc, arp[ARP].hwsrc) == (NODE, 2, "192.0.2.77", LAB)
    assert (nd.dst, nd[IPv6].dst) == (NODE, "2001:db8:0:1::a")
    assert (nd[ICMPv6ND_NA].tgt, nd[ICMPv6ND_NA].S) == ("2001:db8:0:1::77", 1)


def test_other_frames_and_wires_are_left_alone() -> None:
    wire = Wire()
    with neighbours(wire).answering({ip_address("192.0.2.77")}) as asked:
        wire.arrive(arp_request("192.0.2.77"), "pod")
        wire.arrive(Ether(src=NODE, dst=LAB) / IPv6(src="fe80::1", dst="fe80::2"))
    assert (asked, wire.sent, wire.dealt_with) == ([], [], 0)
