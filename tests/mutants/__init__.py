"""Mutants: the real kube-proxy, broken on purpose in one way, to prove that the suite notices.

What kube-proxy programs is altered on its way into the kernel, by wrappers that stand first on its
PATH, or right after, where no wrapper can stand.
"""

from __future__ import annotations

from tests.mutants.faults import iptables, ipvs, nftables, packets
from tests.mutants.mutant import Mutant, unmutated

UNMUTATED = Mutant("unmutated", "nothing: every requirement named below must pass", (), unmutated)

MUTANTS: dict[str, tuple[Mutant, ...]] = {
    "iptables": (UNMUTATED, *iptables.MUTANTS),
    "ipvs": (UNMUTATED._replace(mutate=ipvs.unmutated), *ipvs.MUTANTS),
    "nftables": (UNMUTATED, *nftables.MUTANTS, *packets.MUTANTS),
}
"""The mutants of each mode of kube-proxy."""
