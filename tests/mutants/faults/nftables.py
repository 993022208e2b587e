"""Mutants of kube-proxy's nftables mode: what it hands to ``nft -f -``, altered."""

from __future__ import annotations

import re

from tests.mutants.faults.shape import HEALTH_PORT, MAPPED, NODE, RANGES, fault
from tests.mutants.mutant import Mutant, edited


def _long_names_unserved(text: str, before: str) -> str:
    """Their chains, which are named by namespace and name, stay empty."""
    longer = re.compile(r"add rule ip6? kube-proxy \S+?-[^/ ]+/[^/ ]{10,}/")
    return edited(text, lambda line: None if longer.match(line) else line)


def _external_not_masqueraded(text: str, before: str) -> str:
    return edited(text, lambda line: None if line.endswith('comment "masquerade"') else line)


def _pods_masqueraded(text: str, before: str) -> str:
    def edit(line: str) -> str:
        return re.sub(r"(daddr @cluster-ips) ip6? saddr != \S+ mark", r"\1 mark", line)

    return edited(text, edit)


def _hairpin_not_masqueraded(text: str, before: str) -> str:
    return edited(
        text,
        lambda line: (
            None
            if " hairpin-connections { 1" in line or " hairpin-connections { f" in line
            else line
        ),
    )


def _reject_as_drop(text: str, before: str) -> str:
    return edited(text, lambda line: re.sub(r" reject-chain reject$", " reject-chain drop", line))


def _all_masqueraded(text: str, before: str) -> str:
    def edit(line: str) -> str:
        found = re.match(r"add rule ip6? kube-proxy masquerading ", line)
        marked = found and " mark set mark xor " in line
        return f"{line}\n{found[0]}masquerade" if found and marked else line

    return edited(text, edit)


def _drop_as_reject(text: str, before: str) -> str:
    return edited(text, lambda line: line.replace(" : drop }", " : goto reject-chain }"))


def _drop_as_pass(text: str, before: str) -> str:
    return edited(text, lambda line: line.replace(" : drop }", " : accept }"))


def _external_policy_ignored(text: str, before: str) -> str:
    """The short cut that pods have is everybody's."""

    def edit(line: str) -> str:
        return re.sub(r" ip6? saddr \S+( goto .* \"short-circuit pod traffic\")$", r"\1", line)

    return edited(text, edit)


def _internal_policy_ignored(text: str, before: str) -> str:
    """For Services that have a chain which leads to all endpoints, since they are reached from
    outside too.
    """

    def edit(line: str) -> str:
        found = re.match(
            r"add element (ip6? kube-proxy) service-ips .* : goto local-(\S+) \}", line
        )
        there = found and f"add chain {found[1]} service-{found[2]}\n" in text
        return line.replace(" : goto local-", " : goto service-") if there else line

    return edited(text, edit)


def _pods_not_short_cut(text: str, before: str) -> str:
    return edited(text, lambda line: None if '"short-circuit pod traffic"' in line else line)


def _node_not_short_cut(text: str, before: str) -> str:
    return edited(text, lambda line: None if " fib saddr type local " in line else line)


def _unallocated_rejected(text: str, before: str) -> str:
    return edited(
        text,
        lambda line: line.replace(' drop comment "Drop traffic', ' reject comment "Drop traffic'),
    )


def _unserved_port_passed(text: str, before: str) -> str:
    return edited(text, lambda line: None if "Reject traffic to invalid ports" in line else line)


def _node_ports_anywhere(text: str, before: str) -> str:
    return edited(text, lambda line: re.sub(r" ip6? daddr @nodeport-ips ", " ", line))


def _wrong_target_port(text: str, before: str) -> str:
    def one_more(found: re.Match[str]) -> str:
        return found[1] + str(int(found[2]) % 0xFFFF + 1)

    def edit(line: str) -> str:
        line = re.sub(r"( : [0-9a-f.:]+ \. )(\d+)", one_more, line)
        return re.sub(r"( dnat to \S+:)(\d+)$", one_more, line)

    return edited(text, edit)


def _udp_as_tcp(text: str, before: str) -> str:
    return edited(text, lambda line: line.replace("meta l4proto udp dnat", "meta l4proto tcp dnat"))


def _ipv6_missing(text: str, before: str) -> str:
    def edit(line: str) -> str | None:
        return None if re.match(r"(add|delete) element ip6 kube-proxy service-ips ", line) else line

    return edited(text, edit)


def _node_unserved(text: str, before: str) -> str:
    return edited(text, lambda line: None if line.endswith(" nat-output jump services") else line)


def _endpoints_frozen(text: str, before: str) -> str:
    """A Service's chain is never emptied, so its first rule stands before all later ones."""
    written = _written(text)

    def edit(line: str) -> str | None:
        found = re.match(r"flush chain ip6? kube-proxy (service-\S+)$", line)
        return None if found and found[1] in written else line

    return edited(text, edit)


def _never_deleted(text: str, before: str) -> str:
    """Chains of Services and endpoints stay as they are, and so does what leads to them."""
    written, since = _written(text), before.rpartition("add table ")[2]

    def edit(line: str) -> str | None:
        if re.match(
            r"delete (element \S+ kube-proxy (service-|cluster-)|set \S+ kube-proxy affin)", line
        ):
            return None
        led = re.match(r"add element \S+ kube-proxy service-\S+ \{ .* : ", line)
        if led and led[0] in since:  # and led to a Service that is gone, or has changed
            return None
        found = re.match(
            r"(?:flush|delete) chain \S+ kube-proxy ((?:service|endpoint|external|local)-\S+/\S+)",
            line,
        )
        return None if found and found[1] not in written else line

    return edited(text, edit)


def _written(text: str) -> set[str]:
    """Chains that the transaction adds a rule to."""
    return {line.split()[4] for line in text.splitlines() if line.startswith("add rule ")}


def _leaking(text: str, before: str) -> str:
    def edit(line: str) -> str:
        found = re.match(r"add rule (ip6?) (kube-proxy nat-\w+) jump services$", line)
        if not found:
            return line
        at = int(found[1] == "ip6")
        ranges = f"{{ {RANGES[at]}, {MAPPED} }}" if at else RANGES[at]
        return (
            f"{line}\nadd rule {found[1]} {found[2]} {found[1]} daddr {ranges}"
            f" meta l4proto tcp dnat to {NODE[at]}:{HEALTH_PORT}"
        )

    return edited(text, edit)


def _mark_kept(text: str, before: str) -> str:
    return edited(text, lambda line: re.sub(r" mark set mark xor 0x\w+ masq", " masq", line))


def _marks_lost(text: str, before: str) -> str:
    return edited(text, lambda line: line.replace(" mark set mark or ", " mark set "))


def _base_chains_kept(text: str, before: str) -> str:
    """They have the rules of the proxy before, too."""
    base = re.compile(r"flush chain ip6? kube-proxy [a-z-]+$")
    return edited(text, lambda line: None if base.match(line) else line)


def _host_network_unserved(text: str, before: str) -> str:
    among = tuple(f" : {address.strip('[]')} . " for address in NODE)
    alone = tuple(f" dnat to {address}:" for address in NODE)
    return edited(
        text,
        lambda line: (
            None if " dnat " in line and any(end in line for end in (*among, *alone)) else line
        ),
    )


MUTANTS = (
    Mutant(
        "long-names-unserved",
        "Services whose names have ten letters or more are not served",
        ("cip-long-names",),
        _long_names_unserved,
    ),
    fault(
        "nodeport-not-masqueraded",
        _external_not_masqueraded,
        "",
        *("etp-cluster-default", "itp-not-external", "lb-masq-port-clash"),
        "lb-masq-host-clash",
    ),
    fault(
        "pods-masqueraded",
        _pods_masqueraded,
        "",
        *("itp-cluster-default", "itp-local-states", "etp-not-internal", "etp-both-local"),
        *("term-ready-only", "term-fallback-cluster", "term-fallback-local", "masq-pod-cip"),
    ),
    fault(
        "hairpin-not-masqueraded",
        _hairpin_not_masqueraded,
        "",
        "etp-local-hairpin",
        "cip-from-endpoint",
    ),
    fault(
        "reject-as-drop",
        _reject_as_drop,
        "",
        *("etp-local-no-eps-reject", "noep-lb", "noep-eip", "noep-host-ext"),
        *("term-not-serving", "term-unready", "noep-cip-sctp", "noep-host-nodeport"),
        *("noep-cip-udp", "noep-icmpv6", "noep-from-host", "noep-nodeport", "noep-per-port"),
        *("noep-proto-indep", "noep-evicted", "noep-no-slice", "itp-local-no-eps-reject"),
    ),
    Mutant(
        "all-masqueraded",
        "every connection is masqueraded, whether it is to a Service or not",
        (
            *("cip-headless-ignored", "cip-nonsvc-untouched", "cip-direct-podip"),
            *("masq-hairpin-not-direct", "masq-only-marked"),
        ),
        _all_masqueraded,
    ),
    fault("drop-as-reject", _drop_as_reject, "", "etp-local-none-drop", "itp-local-states-drop"),
    fault("drop-as-pass", _drop_as_pass),
    fault("external-policy-ignored", _external_policy_ignored),
    fault("internal-policy-ignored", _internal_policy_ignored),
    fault("pods-not-short-cut", _pods_not_short_cut),
    fault("node-not-short-cut", _node_not_short_cut),
    Mutant(
        "unallocated-rejected",
        "connections to a cluster IP that no Service has are rejected instead of dropped",
        ("cip-unallocated-ip",),
        _unallocated_rejected,
    ),
    Mutant(
        "unserved-port-passed",
        "connections to a port that a Service does not have are passed on",
        ("cip-unserved-port-rejected",),
        _unserved_port_passed,
    ),
    Mutant(
        "node-ports-anywhere",
        "nodePorts are served at all addresses",
        (
            *("np-lbip-nodeport", "eip-unserved-port", "lbip-other-port"),
            *("np-broadcast-multicast", "np-localhost-v6-never", "np-addr-default-primary"),
            "np-remote-dst-untouched",
        ),
        _node_ports_anywhere,
    ),
    fault(
        "wrong-target-port",
        _wrong_target_port,
        "",
        *("cip-port-remap", "cip-multiport", "cip-ep-offnode", "cip-named-targetport-per-ep"),
        *("cip-multi-slice-ports", "cip-targetport-from-slice", "cip-unnamed-port"),
        *("cip-selectorless-slice", "np-any-node", "np-from-pod", "ct-service-no-bypass"),
    ),
    fault(
        "udp-as-tcp",
        _udp_as_tcp,
        "",
        "lbip-shared-ip",
        *("cip-same-port-diff-proto", "cip-many-services-same-eps", "np-same-number-tcp-udp"),
        "np-udp",
    ),
    fault("ipv6-missing", _ipv6_missing),
    fault("node-unserved", _node_unserved, "", "np-from-host"),
    fault(
        "endpoints-frozen",
        _endpoints_frozen,
        "",
        *("cip-slice-delete", "cip-targetport-change", "ct-udp-port-change", "sync-latency-ep"),
        *("sync-order-latency", "life-restart-missed-changes"),
    ),
    fault(
        "never-deleted",
        _never_deleted,
        "",
        *("cip-recreate", "cip-vip-reassign", "sync-latency-add", "np-delete"),
    ),
    fault("host-network-unserved", _host_network_unserved),
    fault(
        "leak",
        _leaking,
        "TCP",
        *("cip-unallocated-ip", "ds-v4mapped", "sec-hostports-via-vip"),
    ),
    Mutant(
        "mark-kept",
        "what is masqueraded leaves the node with the mark",
        ("masq-mark-cleared",),
        _mark_kept,
    ),
    Mutant(
        "marks-lost",
        "what is to be masqueraded loses the marks of others",
        ("masq-mark-bit",),
        _marks_lost,
    ),
    Mutant(
        "base-chains-kept",
        "base chains are not emptied before their rules are written",
        ("life-restart-idempotent", "life-nft-base-recreate"),
        _base_chains_kept,
    ),
)
