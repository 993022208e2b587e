"""What mutants do to the BPF maps of a proxy."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from tests.mutants import MUTANTS
from tests.mutants.maps.table import AFFINITY, Backend, Maps, Slot, Table, Write, changed, names
from tests.mutants.mutant import Mutant

UNMUTATED, *EVERY = MUTANTS["bpf"]
CANARY = {ip_address(each).packed for each in ("10.96.158.65", "fd00:96::60e5")}
TCP, UDP = 6, 17


def address(version: int, number: int, *, pod: bool = False) -> bytes:
    """A cluster IP or a pod's address."""
    text = ("10.128.0.{}" if pod else "10.96.0.{}", "fd00:10::{:x}" if pod else "fd00:96::{:x}")
    return ip_address(text[version == 6].format(number)).packed


def maps(version: int, *, later: bool = False) -> Maps:
    """What is in a family's maps, before or after some changes."""
    web, dns = address(version, 1), address(version, 2)
    canary = next(each for each in CANARY if len(each) == len(web))
    slots = [
        Slot(web, 80, 0, TCP, 0, 10800, 2 if later else 3, 1, AFFINITY, 0, 0),
        *(Slot(web, 80, each, TCP, 0, each, 0, 1, 0, 0, 0) for each in range(1, 3 if later else 4)),
        Slot(canary, 1030, 0, TCP, 0, 10800, 1, 3, AFFINITY, 0, 0),
        Slot(canary, 1030, 1, TCP, 0, 9, 0, 3, 0, 0, 0),
    ]
    if not later:
        slots += [
            Slot(dns, 53, 0, UDP, 0, 0, 1, 2, 0, 0, 0),
            Slot(dns, 53, 1, UDP, 0, 4, 0, 2, 0, 0, 0),
        ]
    used = {each.backend for each in slots if each.number}
    backends = [Backend(each, address(version, each, pod=True), 8080, bytes(6)) for each in used]
    empty = Table(version, (), (), ())
    services, found, affinity = names(version)
    made: Maps = {services: {}, found: {}, affinity: {"01": "02"}}
    for name, key, value in empty.put(*slots, *backends):
        made[name][key] = value or ""
    return made


def table(version: int, *, later: bool = False) -> Table:
    return Table.of(version, maps(version, later=later), CANARY)


def writes(mutant: Mutant, version: int) -> list[Write]:
    """All that a mutant does, before and after the changes."""
    first, second = table(version), table(version, later=True)
    return [
        *changed(mutant.mutate(first, ()), maps(version)),
        *changed(mutant.mutate(second, (first,)), maps(version, later=True)),
    ]


def altered(name: str, version: int) -> Table:
    """What there is after the changes, once a mutant has been there."""
    mutant = next(each for each in EVERY if each.name == name)
    found = maps(version, later=True)
    for where, key, value in mutant.mutate(table(version, later=True), (table(version),)):
        if value is None:
            found[where].pop(key, None)
        else:
            found[where][key] = value
    return Table.of(version, found, CANARY)


@pytest.mark.parametrize("version", [4, 6])
def test_what_is_read_is_what_was_written(version: int) -> None:
    now, found = table(version), maps(version)
    assert not changed(now.put(*now.slots, *now.backends), found)
    assert [each.size for each in now.heads] == [3, 1]
    assert {each.port for each in now.backends} == {8080}
    assert 9 not in {each.number for each in now.backends}, "the canary's"


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("mutant", EVERY, ids=lambda mutant: mutant.name)
def test_mutation_alters_what_is_there_and_spares_the_canary(mutant: Mutant, version: int) -> None:
    made = writes(mutant, version)
    assert made
    services, backends, _ = names(version)
    keys = {key for name, key, _ in made if name in (services, backends)}
    found = maps(version)
    own = [key for key in found[services] if bytes.fromhex(key[: len(key) - 16]) in CANARY]
    assert len(own) == 2
    assert not keys & {*own, (9).to_bytes(4, "little").hex()}


@pytest.mark.parametrize("mutant", EVERY, ids=lambda mutant: mutant.name)
def test_what_is_altered_already_is_left_alone(mutant: Mutant) -> None:
    first, found = table(4), maps(4)
    for name, key, value in mutant.mutate(first, ()):
        if value is None:
            found[name].pop(key)
        else:
            found[name][key] = value
    assert not changed(mutant.mutate(Table.of(4, found, CANARY), (first,)), found)


def test_without_a_mutation_nothing_is_done() -> None:
    assert UNMUTATED.mutate(table(4), ()) == []


def test_a_stale_backend_is_put_back() -> None:
    now = altered("stale-backend", 4)
    assert [each.size for each in now.heads] == [3]
    assert {each.number for each in now.backends} == {1, 2, 3}
    assert [each.backend for each in now.behind(now.heads[0])] == [1, 2, 3]


def test_a_deleted_service_is_put_back() -> None:
    assert altered("never-deleted", 6).slots[3:] == table(6).slots[4:]
