"""A testinfra host with modules for what a Service proxy writes into the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import testinfra.backend
import testinfra.host

from clusters.inspection.conntrack import Conntrack
from clusters.inspection.ipset import Ipset
from clusters.inspection.iptables import Iptables
from clusters.inspection.ipvs import Ipvs
from clusters.inspection.nftables import Nftables

if TYPE_CHECKING:
    from testinfra.backend.base import BaseBackend

# testinfra finds backends by the path of their class: no patch is needed to add one.
testinfra.backend.BACKENDS.setdefault("netns", "clusters.inspection.netns.NetnsBackend")


class Host(testinfra.host.Host):  # type: ignore[misc]  # testinfra publishes no types
    """`testinfra.host.Host`, with a module for each of the kernel's tables, over any backend.

    They are `nftables`, `iptables`, `ipvs`, `ipset` and `conntrack`.

    testinfra looks modules up by name inside its own package only; as attributes of a subclass they
    need no entry there, and the host's other modules stay as they are.

    >>> host = Host.get_host("netns://node")
    >>> host.nftables.tables
    {('ip', 'kube-proxy'), ('ip6', 'kube-proxy')}
    """

    # Of its own: the inherited ones would hand out plain hosts for a name looked up before.
    _host_cache: ClassVar[dict[object, Host]] = {}
    _hosts_cache: ClassVar[dict[object, list[Host]]] = {}

    def __init__(self, backend: BaseBackend) -> None:
        super().__init__(backend)
        backend.set_host(self)
        self.nftables = Nftables.of(self)
        """The tables of nftables, those of iptables-nft included."""
        self.iptables = Iptables.of(self)
        """The tables of iptables and ip6tables."""
        self.ipvs = Ipvs.of(self)
        """The virtual servers and connections of IPVS."""
        self.ipset = Ipset.of(self)
        """The sets that rules of iptables match."""
        self.conntrack = Conntrack.of(self)
        """The connections that the kernel tracks."""
