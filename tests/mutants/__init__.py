"""Mutants: the real kube-proxy, broken on purpose in one way, to prove that the suite notices.

What kube-proxy programs is altered on its way into the kernel, by wrappers that stand first on its
PATH, or right after, where no wrapper can stand; or what the API server tells it is, on its way; or
its program has the fault itself.
"""

from __future__ import annotations

from tests.mutants.faults import (
    choice,
    iptables,
    ipvs,
    maps,
    nftables,
    objects,
    packets,
    remembered,
    slices,
)
from tests.mutants.faults.program import configuration, health, life, metrics
from tests.mutants.mutant import Mutant, unmutated

UNMUTATED = Mutant("unmutated", "nothing: every requirement named below must pass", (), unmutated)

_BOTH = ("zone-hints-ignored", "source-ranges-ignored", "vip-as-proxy")
"""What reads objects is common to the modes: some are enough in the second."""

MUTANTS: dict[str, tuple[Mutant, ...]] = {
    "bpf": (UNMUTATED._replace(mutate=maps.unmutated), *maps.MUTANTS),
    "iptables": (
        UNMUTATED,
        *iptables.MUTANTS,
        *(each for each in objects.MUTANTS if each.name in _BOTH),
        *health.OF_IPTABLES,
        *metrics.OF_IPTABLES,
        *life.OF_IPTABLES,
    ),
    "ipvs": (
        UNMUTATED._replace(mutate=ipvs.unmutated),
        *ipvs.MUTANTS,
        *configuration.OF_IPVS,
        *life.OF_IPVS,
    ),
    "nftables": (
        UNMUTATED,
        *nftables.MUTANTS,
        *choice.MUTANTS,
        *packets.MUTANTS,
        *objects.MUTANTS,
        *remembered.MUTANTS,
        *slices.MUTANTS,
        *health.MUTANTS,
        *metrics.COMMON,
        *configuration.COMMON,
        *life.COMMON,
        *life.OF_NFTABLES,
    ),
}
"""The mutants of each mode of kube-proxy, and of Cilium's."""

MODES = ("iptables", "ipvs", "nftables")
"""Of kube-proxy: mutants of other proxies are judged with ``--every-mutant`` alone."""
