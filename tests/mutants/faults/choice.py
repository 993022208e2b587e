"""Mutants of kube-proxy's nftables mode that choose endpoints wrongly, or are wrong about whom they
have chosen.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.mutants.faults.shape import fault
from tests.mutants.mutant import Mutant, edited

_CHOICE = re.compile(r"numgen random mod (\d+) (v?map) \{ (.*?) \}")


def _chosen(text: str, generator: str, change: Callable[[list[str]], list[str]]) -> str:
    """The text with each choice among several endpoints made by ``generator`` from a new list."""

    def edit(line: str) -> str:
        found = _CHOICE.search(line)
        if not found or found[1] == "1":
            return line
        values = change([item.partition(" : ")[2] for item in found[3].split(" , ")])
        items = " , ".join(f"{position} : {value}" for position, value in enumerate(values))
        choice = f"{generator.format(len(values))} {found[2]} {{ {items} }}"
        return line[: found.start()] + choice + line[found.end() :]

    return edited(text, edit)


def _skewed(text: str, before: str) -> str:
    return _chosen(text, "numgen random mod {}", lambda values: [*values * 5, values[0]])


def _first_twice(text: str, before: str) -> str:
    return _chosen(text, "numgen random mod {}", lambda values: [*values, values[0]])


def _modulus_too_small(text: str, before: str) -> str:
    return _chosen(text, "numgen random mod {}", lambda values: values[:-1])


def _modulus_too_large(text: str, before: str) -> str:
    def edit(line: str) -> str:
        line = re.sub(r"( l4proto \w+) dnat to ", r"\1 numgen random mod 1 0 dnat to ", line)
        return re.sub(r"random mod (\d+) ", lambda found: f"random mod {int(found[1]) + 1} ", line)

    return edited(text, edit)


def _first_always(text: str, before: str) -> str:
    return _chosen(text, "numgen random mod {}", lambda values: values[:1])


def _cyclic(text: str, before: str) -> str:
    return _chosen(text, "numgen inc mod {}", lambda values: values)


def _by_client_port(text: str, before: str) -> str:
    return _chosen(text, "jhash th sport mod {} seed 0x5eed", lambda values: values)


def _affinity_ignored(text: str, before: str) -> str:
    return edited(
        text, lambda line: None if re.search(r" saddr @affinity-\S+ goto ", line) else line
    )


def _affinity_endless(text: str, before: str) -> str:
    def edit(line: str) -> str:
        return re.sub(r"flags dynamic,timeout ; timeout \d+s ;", "flags dynamic ;", line)

    return edited(text, edit)


def _affinity_not_refreshed(text: str, before: str) -> str:
    return edited(text, lambda line: line.replace(" update @affinity-", " add @affinity-"))


MUTANTS = (
    Mutant(
        "skewed-choice",
        "the first endpoint is chosen a fifth too often",
        ("lb-uniform", "lb-weights-equal"),
        _skewed,
    ),
    Mutant(
        "first-counts-twice",
        "the first of several endpoints is given two shares",
        ("cip-slice-dedupe",),
        _first_twice,
    ),
    fault("last-never-chosen", _modulus_too_small),
    Mutant(
        "modulus-too-large",
        "one number in n + 1 has no endpoint, and its connections are not translated",
        ("lb-single-ep", "aff-single-ep"),
        _modulus_too_large,
    ),
    fault(
        "only-first-chosen",
        _first_always,
        "",
        "itp-local-multi",
        "etp-local-multi",
        *("aff-none-spreads", "aff-not-cross-port", "aff-not-cross-family"),
        *("lb-multiport-independent", "lb-frontends-independent", "lb-no-retry"),
        "cip-multi-slice-merge",
    ),
    fault("cyclic-choice", _cyclic),
    Mutant(
        "client-port-decides",
        "the endpoint follows from the client's port alone",
        ("lb-port-independent",),
        _by_client_port,
    ),
    fault(
        "affinity-ignored",
        _affinity_ignored,
        "",
        *("aff-udp", "aff-nodeport", "aff-lb", "aff-presnat-key", "aff-timeout-min-hold"),
        *("aff-hostnet-clients-share", "aff-survives-other-ep-change"),
    ),
    fault("affinity-endless", _affinity_endless),
    Mutant(
        "affinity-not-refreshed",
        "a new connection does not restart the timeout",
        ("aff-refresh-new-conn",),
        _affinity_not_refreshed,
    ),
)
