"""Mutants of a proxy with BPF maps: what is in them, altered once a change is in force.

A mutation makes writes from what there is for one family, and from what there was at each earlier
time in the same test.
"""

from __future__ import annotations

from tests.mutants.maps.table import AFFINITY, Table, Write, names
from tests.mutants.mutant import Mutant

_UDP = 17


def unmutated(now: Table, earlier: tuple[Table, ...]) -> list[Write]:
    """Nothing is altered."""
    return []


def _last_never_chosen(now: Table, earlier: tuple[Table, ...]) -> list[Write]:
    counts = [(each, len(now.behind(each))) for each in now.heads]
    return now.put(*(each._replace(size=count - 1) for each, count in counts if count > 1))


def _only_first_chosen(now: Table, earlier: tuple[Table, ...]) -> list[Write]:
    writes = list[Write]()
    for head in now.heads:
        first, *others = now.behind(head) or [head]
        writes += now.put(*(each._replace(backend=first.backend) for each in others))
    return writes


def _wrong_target_port(now: Table, earlier: tuple[Table, ...]) -> list[Write]:
    before = {each.number for table in earlier for each in table.backends}  # altered already
    fresh = [each for each in now.backends if each.number not in before]
    return now.put(*(each._replace(port=each.port % 0xFFFF + 1) for each in fresh))


def _udp_missing(now: Table, earlier: tuple[Table, ...]) -> list[Write]:
    return now.remove(*(each for each in now.slots if each.protocol == _UDP))


def _affinity_ignored(now: Table, earlier: tuple[Table, ...]) -> list[Write]:
    having = [each for each in now.heads if each.flags & AFFINITY]
    return now.put(*(each._replace(flags=each.flags & ~AFFINITY) for each in having))


def _affinity_forgotten(now: Table, earlier: tuple[Table, ...]) -> list[Write]:
    *_, affinity = names(now.version)
    return [(affinity, key, None) for key in now.remembered]


def _stale_backend(now: Table, earlier: tuple[Table, ...]) -> list[Write]:
    """A backend that a frontend has had is put back, in a slot behind those of today."""
    writes = list[Write]()
    for head in now.heads:
        slots = {each.backend: each for each in now.behind(head)}
        for table in earlier:
            backends = {each.number: each for each in table.backends}
            for slot in table.behind(head):
                if slot.backend in backends and slot.backend not in slots:
                    slots[slot.backend] = slot._replace(number=len(slots) + 1, reverse=head.reverse)
                    writes += now.put(backends[slot.backend], slots[slot.backend])
        if len(slots) > 1:
            writes += now.put(head._replace(size=len(slots)))
    return writes


def _never_deleted(now: Table, earlier: tuple[Table, ...]) -> list[Write]:
    there = {each.frontend for each in now.slots}
    writes = list[Write]()
    for table in earlier:
        gone = [each for each in table.slots if each.frontend not in there]
        numbers = {each.backend for each in gone if each.number}
        writes += now.put(*(each for each in table.backends if each.number in numbers), *gone)
    return writes


MUTANTS = (
    Mutant(
        "last-never-chosen",
        "the count of backends is one less than there are",
        ("lb-all-eps-hit",),
        _last_never_chosen,
        "TCP",
    ),
    Mutant(
        "only-first-chosen",
        "every slot of a frontend has the first one's backend",
        ("lb-all-eps-hit",),
        _only_first_chosen,
        "TCP",
    ),
    Mutant(
        "wrong-target-port",
        "backends have the port after the target port",
        ("cip-tcp-dnat",),
        _wrong_target_port,
    ),
    Mutant("udp-missing", "UDP ports have no entry", ("cip-udp-dnat",), _udp_missing),
    Mutant(
        "affinity-ignored",
        "the flag for session affinity is taken off",
        ("aff-clientip-sticky",),
        _affinity_ignored,
    ),
    Mutant(
        "affinity-forgotten",
        "the map of clients with affinity is emptied with each change",
        ("aff-survives-other-ep-change",),
        _affinity_forgotten,
    ),
    Mutant(
        "stale-backend",
        "a backend that is gone is put back behind those that there are",
        ("lb-after-remove",),
        _stale_backend,
    ),
    Mutant(
        "never-deleted",
        "the entries of a Service that is deleted are put back",
        ("cip-delete",),
        _never_deleted,
    ),
)
