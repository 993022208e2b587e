"""What kube-proxy has programmed in IPVS mode, and how ipvsadm and ip name it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from clusters.inspection.ipset import Set
    from clusters.inspection.ipvs import RealServer, VirtualServer

FLAGS = {"TCP": "-t", "UDP": "-u", "SCTP": "--sctp-service"}


class Programmed(NamedTuple):
    """What there is for the Services of one family."""

    version: int
    """4 or 6."""
    servers: tuple[VirtualServer, ...]
    entries: dict[str, tuple[str, ...]]
    """The entries of each set."""

    @classmethod
    def of(
        cls,
        version: int,
        servers: Iterable[VirtualServer],
        sets: Iterable[Set],
        spared: Collection[str],
    ) -> Programmed:
        """Of all that there is, what is of a family and not about the addresses ``spared``."""
        return cls(
            version,
            tuple(
                each
                for each in servers
                if each.address and each.address not in spared and _version(each) == version
            ),
            {
                each.name: tuple(
                    sorted(entry for entry in each.entries if entry.split(",")[0] not in spared)
                )
                for each in sets
                if each.name.startswith("KUBE-6-") == (version == 6)
            },
        )

    def set_name(self, name: str) -> str:
        """The family's set ``KUBE-CLUSTER-IP`` of the name ``CLUSTER-IP``."""
        return f"KUBE-{'6-' if self.version == 6 else ''}{name}"

    def of_set(self, name: str) -> tuple[str, ...]:
        """The entries of the family's set of that name, none where it has no such set."""
        return self.entries.get(self.set_name(name), ())

    @property
    def cluster_ips(self) -> list[str]:
        """All cluster IPs."""
        return sorted({entry.split(",")[0] for entry in self.of_set("CLUSTER-IP")})

    @property
    def iptables(self) -> str:
        """The family's program; it waits for the lock."""
        return f"ip{'6' if self.version == 6 else ''}tables -w"


def _version(server: VirtualServer) -> int:
    return 6 if ":" in str(server.address) else 4


def socket(where: VirtualServer | RealServer, port: int | None = None) -> str:
    """Address and port, its own or another, as ipvsadm takes it."""
    address = f"[{where.address}]" if ":" in str(where.address) else where.address
    return f"{address}:{where.port if port is None else port}"


def named(server: VirtualServer) -> str:
    """A virtual server as ipvsadm takes it."""
    return f"{FLAGS[server.protocol]} {socket(server)}"


def properties(server: VirtualServer, scheduler: str = "") -> str:
    """A virtual server with its properties, but for the scheduler if one is given."""
    affinity = f" -p {server.persistence}" if server.persistence else ""
    return f"{named(server)} -s {scheduler or server.scheduler}{affinity}"


def bound(command: str, address: str) -> str:
    """The command that adds an address to the dummy interface ("replace"), or takes it off."""
    return f"ip address {command} {address}/{128 if ':' in address else 32} dev kube-ipvs0"
