"""Attempts: who opens a new connection, from where, to which frontend, by which protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from specification.addresses import IPAddress
from specification.services import Protocol


class SocketAddress(NamedTuple):
    """An IP address and a port."""

    address: IPAddress
    port: int

    def __str__(self) -> str:
        return (
            f"{self.address}:{self.port}"
            if self.address.version == 4
            else f"[{self.address}]:{self.port}"
        )

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Attempt:
    """One attempt to open a connection, as its client makes it."""

    protocol: Protocol
    client: SocketAddress
    target: SocketAddress
