"""Mutants of kube-proxy's iptables mode: what it hands to ``iptables-restore``, altered."""

from __future__ import annotations

import re

from tests.mutants.faults.shape import HEALTH_PORT, NODE, RANGES, fault
from tests.mutants.mutant import CANARY, Mutant, edited

_CHANCE = re.compile(r" -m statistic --mode random --probability (\S+)")


def _skewed(text: str, before: str) -> str:
    def edit(line: str) -> str:
        return _CHANCE.sub(lambda chance: _chance(min(1.0, 1.2 * float(chance[1]))), line)

    return edited(text, edit)


def _chance(probability: float) -> str:
    return f" -m statistic --mode random --probability {probability:.10f}"


def _last_never_chosen(text: str, before: str) -> str:
    return edited(text, lambda line: line.replace(_chance(1 / 2), _chance(1)))


def _unconditional(text: str, before: str) -> str:
    return edited(text, lambda line: _CHANCE.sub("", line))


def _same_chance(text: str, before: str) -> str:
    first: dict[str, str] = {}  # by chain

    def edit(line: str) -> str:
        chance = _CHANCE.search(line)
        if not chance:
            return line
        return _CHANCE.sub(first.setdefault(line.split()[1], chance[0]), line)

    return edited(text, edit)


def _cyclic(text: str, before: str) -> str:
    def edit(line: str) -> str:
        return _CHANCE.sub(
            lambda chance: (
                f" -m statistic --mode nth --every {round(1 / float(chance[1]))} --packet 0"
            ),
            line,
        )

    return edited(text, edit)


def _affinity_ignored(text: str, before: str) -> str:
    return edited(text, lambda line: None if "--rcheck" in line else line)


def _affinity_endless(text: str, before: str) -> str:
    return edited(text, lambda line: re.sub(r" --seconds \d+ --reap", "", line))


def _affinity_short(text: str, before: str) -> str:
    return edited(text, lambda line: re.sub(r"--seconds \d+", "--seconds 1", line))


def _external_not_masqueraded(text: str, before: str) -> str:
    return edited(text, lambda line: None if _marks("KUBE-EXT-", line) else line)


def _hairpin_not_masqueraded(text: str, before: str) -> str:
    return edited(text, lambda line: None if _marks("KUBE-SEP-", line) else line)


def _pods_masqueraded(text: str, before: str) -> str:
    def edit(line: str) -> str:
        return re.sub(r" ! -s \S+", "", line) if _marks("KUBE-SVC-", line) else line

    return edited(text, edit)


def _strangers_not_masqueraded(text: str, before: str) -> str:
    return edited(text, lambda line: None if _marks("KUBE-SVC-", line) else line)


def _marks(chain: str, line: str) -> bool:
    """Whether the line is a rule of such a chain that marks for masquerading."""
    return line.startswith(f"-A {chain}") and line.endswith("-j KUBE-MARK-MASQ")


def _reject_as_drop(text: str, before: str) -> str:
    return edited(text, lambda line: re.sub(r"-j REJECT$", "-j DROP", line))


def _drop_as_reject(text: str, before: str) -> str:
    def edit(line: str) -> str:
        return re.sub(r"-j DROP$", "-j REJECT", line) if "has no local endpoints" in line else line

    return edited(text, edit)


def _drop_as_pass(text: str, before: str) -> str:
    return edited(text, lambda line: None if "has no local endpoints" in line else line)


def _external_policy_ignored(text: str, before: str) -> str:
    """The short cut that pods have is everybody's."""

    def edit(line: str) -> str:
        return re.sub(r" -s \S+", "", line) if _short_cut("pod", line) else line

    return edited(text, edit)


def _internal_policy_ignored(text: str, before: str) -> str:
    """For Services that have a chain which leads to all endpoints, since they are reached from
    outside too.
    """

    def edit(line: str) -> str:
        found = re.match(r"-A KUBE-(?:SERVICES .* -j KUBE-)?SVL-(\S+)( .*MARK-MASQ)?$", line)
        there = found and f" -j KUBE-EXT-{found[1]}\n" in text
        return line.replace("KUBE-SVL-", "KUBE-SVC-") if there else line

    return edited(text, edit)


def _pods_not_short_cut(text: str, before: str) -> str:
    return edited(text, lambda line: None if _short_cut("pod", line) else line)


def _node_not_short_cut(text: str, before: str) -> str:
    return edited(text, lambda line: None if _short_cut("LOCAL", line) else line)


def _short_cut(whose: str, line: str) -> bool:
    """Whether the line is a rule for what pods, or processes on the node, send to what is outside
    the cluster.
    """
    return line.startswith("-A KUBE-EXT-") and f"{whose} traffic for" in line


def _wrong_target_port(text: str, before: str) -> str:
    def edit(line: str) -> str:
        return re.sub(
            r"(--to-destination \S+:)(\d+)$",
            lambda found: found[1] + str(int(found[2]) % 0xFFFF + 1),
            line,
        )

    return edited(text, edit)


def _udp_as_tcp(text: str, before: str) -> str:
    return edited(text, lambda line: line.replace("-m udp -p udp", "-m tcp -p tcp"))


def _ipv6_missing(text: str, before: str) -> str:
    def edit(line: str) -> str | None:
        return None if re.match(r"-A KUBE-SERVICES .* -d \S*::\S* .*-j KUBE-SVC-", line) else line

    return edited(text, edit)


def _node_unserved(text: str, before: str) -> str:
    def edit(line: str) -> str:
        return re.sub(
            r"^(-A KUBE-SERVICES .*)( -j KUBE-SVC-\S+)$",
            r"\1 -m addrtype ! --src-type LOCAL\2",
            line,
        )

    return edited(text, edit)


def _invalid_forwarded(text: str, before: str) -> str:
    return edited(text, lambda line: None if "--ctstate INVALID" in line else line)


def _loopback_open(text: str, before: str) -> str:
    return edited(text, lambda line: None if "incoming localnet connections" in line else line)


def _addresses_not_listed(text: str, before: str) -> str:
    def edit(line: str) -> str:
        return re.sub(
            r"(?<! !) -d \S+( -j KUBE-NODEPORTS)$", r" -m addrtype --dst-type LOCAL\1", line
        )

    return edited(text, edit)


def _endpoints_frozen(text: str, before: str) -> str:
    """Rules of a Service stay as first programmed, and so do the endpoint chains they lead to."""
    kept = set()
    for chain, rules in _first_rules(before).items():
        kept |= {chain} | {rule.split()[-1] for rule in rules if "-j KUBE-SEP-" in rule}

    def edit(line: str) -> str | None:
        words = line.split()
        chain = words[0][1:] if line.startswith(":") else words[1] if len(words) > 1 else ""
        return None if chain in kept else line

    return edited(text, edit)


def _first_rules(before: str) -> dict[str, list[str]]:
    """The rules that each Service's chain was first programmed with, but for the canary's."""
    first: dict[str, list[str]] = {}
    for transaction in before.split("COMMIT\n"):
        found: dict[str, list[str]] = {}
        for line in transaction.splitlines():
            if line.startswith("-A KUBE-SVC-"):
                found.setdefault(line.split()[1], []).append(line)
        first = found | first
    return {chain: rules for chain, rules in first.items() if CANARY not in "".join(rules)}


def _late(text: str, before: str) -> str:
    """What leads from a Service to its endpoints is left out at every other change of it."""

    def edit(line: str) -> str | None:
        found = re.match(r"-A (KUBE-SV[CL]-\S+) .* -j KUBE-SEP-", line)
        return None if found and before.count(f":{found[1]} - [0:0]\n") % 2 else line

    return edited(text, edit)


def _never_deleted(text: str, before: str) -> str:
    """A Service that is gone keeps its chains, and its rule among the Services' rules."""
    gone = set(re.findall(r"^-X (KUBE-SVC-\S+)", before + text, re.MULTILINE))
    kept, entries = set(gone), {}
    for line in before.splitlines():
        words = line.split()
        if line.startswith("-A KUBE-SERVICES ") and words[-1] in gone:
            entries[words[-1]] = line
        if line.startswith("-A KUBE-SVC-") and words[1] in gone and "-j KUBE-SEP-" in line:
            kept.add(words[-1])
    left_out = {f":{chain} - [0:0]" for chain in kept} | {f"-X {chain}" for chain in kept}

    def edit(line: str) -> str | None:
        if "this must be the last rule" in line:
            return "\n".join([*entries.values(), line])
        return None if line in left_out else line

    return edited(text, edit)


def _leaking(text: str, before: str) -> str:
    def edit(line: str) -> str:
        if "this must be the last rule" not in line:
            return line
        at = int("::1/128" in line)
        return (
            f"{line}\n-A KUBE-SERVICES -d {RANGES[at]} -m tcp -p tcp"
            f" -j DNAT --to-destination {NODE[at]}:{HEALTH_PORT}"
        )

    return edited(text, edit)


def _not_accounted(text: str, before: str) -> str:
    return edited(text, lambda line: re.sub(r" -m nfacct --nfacct-name \S+", "", line))


def _host_network_unserved(text: str, before: str) -> str:
    ends = tuple(f"--to-destination {address}:" for address in NODE)
    return edited(text, lambda line: None if any(end in line for end in ends) else line)


MUTANTS = (
    Mutant(
        "skewed-choice",
        "every endpoint but the last is chosen a fifth too often",
        ("lb-uniform",),
        _skewed,
    ),
    fault("last-never-chosen", _last_never_chosen),
    fault("only-first-chosen", _unconditional),
    Mutant(
        "same-chance-in-every-rule",
        "every rule has the chance 1/n of the first, and the last endpoint gets what is left",
        ("lb-uniform",),
        _same_chance,
    ),
    fault("cyclic-choice", _cyclic),
    fault("affinity-ignored", _affinity_ignored),
    fault("affinity-endless", _affinity_endless),
    Mutant(
        "affinity-too-short",
        "a client loses its endpoint after one second, whatever the timeout",
        ("aff-default-timeout",),
        _affinity_short,
    ),
    fault("nodeport-not-masqueraded", _external_not_masqueraded, "", "lb-masq-host-clash"),
    fault("pods-masqueraded", _pods_masqueraded),
    Mutant(
        "strangers-not-masqueraded",
        "connections to a cluster IP keep their client's address, wherever that is",
        ("masq-ext-cip", "cip-bind-source-lo"),
        _strangers_not_masqueraded,
        "TCP and IPv4",
    ),
    fault("hairpin-not-masqueraded", _hairpin_not_masqueraded),
    fault("reject-as-drop", _reject_as_drop, "", "noep-localhost-np"),
    fault("drop-as-reject", _drop_as_reject),
    fault("drop-as-pass", _drop_as_pass),
    fault("external-policy-ignored", _external_policy_ignored),
    fault("internal-policy-ignored", _internal_policy_ignored),
    fault("pods-not-short-cut", _pods_not_short_cut),
    fault("node-not-short-cut", _node_not_short_cut, "", "np-localhost-ipt"),
    fault("wrong-target-port", _wrong_target_port),
    fault("udp-as-tcp", _udp_as_tcp),
    fault("ipv6-missing", _ipv6_missing),
    fault("node-unserved", _node_unserved),
    fault("endpoints-frozen", _endpoints_frozen),
    Mutant(
        "endpoints-late",
        "a change of its endpoints leaves a Service without any until the next change",
        (
            *("sync-atomic", "sync-flap-ready", "lbip-rolling-update", "term-bluegreen"),
            *("term-no-zero-window", "life-restart-new"),
        ),
        _late,
    ),
    fault("never-deleted", _never_deleted),
    fault("host-network-unserved", _host_network_unserved),
    fault("leak", _leaking, "TCP"),
    Mutant(
        "invalid-forwarded",
        "packets that belong to no connection are forwarded untranslated",
        ("ct-invalid-no-reset",),
        _invalid_forwarded,
    ),
    Mutant(
        "loopback-open",
        "what comes over a wire for a loopback address is let in",
        ("sec-martian-l2",),
        _loopback_open,
        "IPv4",
    ),
    Mutant(
        "addresses-not-listed",
        "nodePorts are served at all of the node's addresses, whichever nodePortAddresses lists",
        ("np-localhost-ipt-unlisted",),
        _addresses_not_listed,
    ),
    Mutant(
        "packets-not-accounted",
        "packets that are to be counted are not",
        ("met-ipt-localhost-np", "met-ipt-ctinvalid"),
        _not_accounted,
    ),
)
