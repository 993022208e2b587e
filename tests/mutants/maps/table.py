"""The maps in which Cilium has Services (its bpf/lib/lb.h, 1.20), as far as mutants alter them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Maps = dict[str, dict[str, str]]
"""What is in each map: values by keys, both in hexadecimal."""

Write = tuple[str, str, str | None]
"""Of which map which key is to have which value, ``None`` for none."""

AFFINITY: Final = 1 << 4
"""The flag of a frontend with session affinity."""


class Slot(NamedTuple):
    """One entry of a frontend: its own, number 0, or one of its backends', from 1 on."""

    address: bytes
    port: int
    number: int
    protocol: int
    """17 for UDP (IANA)."""
    scope: int
    """Whether it is for clients inside (1) where these have other backends."""
    backend: int
    """Number of the backend; of slot 0 the affinity's timeout and the algorithm."""
    size: int
    """How many backends there are; slot 0 alone tells."""
    reverse: int
    flags: int
    more_flags: int
    quarantined: int

    @property
    def frontend(self) -> tuple[bytes, int, int, int]:
        """What slots of the same frontend have in common."""
        return self.address, self.port, self.protocol, self.scope


class Backend(NamedTuple):
    """An endpoint, by its number."""

    number: int
    address: bytes
    port: int
    rest: bytes


class Table(NamedTuple):
    """What there is for the Services of one family."""

    version: int
    """4 or 6."""
    slots: tuple[Slot, ...]
    backends: tuple[Backend, ...]
    remembered: tuple[str, ...]
    """The keys of what is remembered of clients with affinity."""

    @classmethod
    def of(cls, version: int, maps: Maps, spared: Collection[bytes]) -> Table:
        """Of all that there is, what is not about the frontends at the addresses ``spared``."""
        services, backends, affinity = names(version)
        slots = [_slot(*each) for each in maps[services].items()]
        kept = {each.backend for each in slots if each.number and each.address in spared}
        found = [_backend(*each) for each in maps[backends].items()]
        return cls(
            version,
            tuple(sorted(each for each in slots if each.address not in spared)),
            tuple(sorted(each for each in found if each.number not in kept)),
            tuple(sorted(maps[affinity])),
        )

    @property
    def heads(self) -> tuple[Slot, ...]:
        """The slot 0 of each frontend."""
        return tuple(each for each in self.slots if not each.number)

    def behind(self, head: Slot) -> list[Slot]:
        """The slots of a frontend's backends."""
        return [each for each in self.slots if each.number and each.frontend == head.frontend]

    def put(self, *entries: Slot | Backend) -> list[Write]:
        """The writes by which these are in the maps."""
        return [self._entry(each) for each in entries]

    def remove(self, *slots: Slot) -> list[Write]:
        """The writes by which these are in the maps no longer."""
        return [(name, key, None) for name, key, _ in self.put(*slots)]

    def _entry(self, entry: Slot | Backend) -> Write:
        services, backends, _ = names(self.version)
        if isinstance(entry, Backend):
            value = entry.address + struct.pack("!H", entry.port) + entry.rest
            return backends, struct.pack("=I", entry.number).hex(), value.hex()
        end = struct.pack("!H", entry.port) + struct.pack("=H", entry.number)
        key = entry.address + end + bytes([entry.protocol, entry.scope, 0, 0])
        return services, key.hex(), struct.pack(_VALUE, *entry[5:]).hex()


_VALUE: Final = "=IHHBBH"


def names(version: int) -> tuple[str, str, str]:
    """The maps of a family: of frontends, of backends, and of clients with affinity."""
    services, backends, affinity = "services_v2", "backends_v3", "affinity"
    return (
        f"cilium_lb{version}_{services}",
        f"cilium_lb{version}_{backends}",
        f"cilium_lb{version}_{affinity}",
    )


def changed(writes: Collection[Write], maps: Mapping[str, Mapping[str, str]]) -> list[Write]:
    """The writes that change something, where that is in the maps."""
    return [(name, key, value) for name, key, value in writes if maps[name].get(key) != value]


def _slot(key: str, value: str) -> Slot:
    entry = bytes.fromhex(key)
    address, (port,) = entry[:-8], struct.unpack("!H", entry[-8:-6])
    number, protocol, scope = struct.unpack("=HBB", entry[-6:-2])
    return Slot(
        address, port, number, protocol, scope, *struct.unpack(_VALUE, bytes.fromhex(value))
    )


def _backend(key: str, value: str) -> Backend:
    entry = bytes.fromhex(value)
    (port,) = struct.unpack("!H", entry[-8:-6])
    return Backend(int(struct.unpack("=I", bytes.fromhex(key))[0]), entry[:-8], port, entry[-6:])
