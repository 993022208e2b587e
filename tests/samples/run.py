"""A result file as a real run would leave it: 84 requirements, two modes, a bit of everything."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from reports.records.result_file import digest

MODES = ("iptables", "nftables")
SEED = 1234567
_TABLE = Path(__file__).with_name("requirements.tsv")
_TESTS = {
    "iptables": "kube_proxy/iptables/test_iptables.py",
    "nftables": "kube_proxy/nftables/test_nftables.py",
}
_CASES = [
    f"{family}-{protocol}-{vantage}"
    for family in ("ipv4", "ipv6")
    for protocol in ("TCP", "UDP")
    for vantage in ("pod", "node", "outside")
]

FAILURE = """\
    def test_choice_is_uniform(service, client):
        web = service(endpoints=5)
        tally = client.burst(web, connections=4000)
>       assert tally.uniform()
E       AssertionError: lb-uniform: the endpoints are not chosen uniformly
E         expected: 800 of 4000 connections at each of 5 endpoints
E             seen: 1333, 667, 667, 667, 666

conformance/distribution/test_distribution.py:31: AssertionError"""
RECENT = (
    "xt_recent remembers 100 addresses per list (module parameter ip_list_tot), the oldest is "
    "forgotten, see https://docs.kernel.org/networking/ and kube-proxy's own notes."
)


def header(**changes: Any) -> dict[str, Any]:
    record = {
        "type": "run",
        "schema": 1,
        "run": "20261123T064500Z-ab12",
        "started": "2026-11-23T06:45:00Z",
        "suite": {
            "name": "kube-proxy-conformance",
            "version": "0.1.0",
            "commit": "4f0c2a9be1d37708a6a1c55de2f9a8b6c7d4e3f2",
        },
        "seed": SEED,
        "command": ["pytest", "conformance", "--modes", "iptables,nftables", "-n", "2"],
        "reproduce": "./conform --seed 1234567 --modes iptables,nftables",
        "implementation": {
            "name": "kube-proxy",
            "version": "v1.36.3",
            "binary": "kube-proxy",
            "sha256": "9b0e6f1d7c" * 6 + "ab12",
        },
        "modes": list(MODES),
        "provider": "netns",
        "false_alarm_budget": 1e-4,
        "workers": 2,
    }
    return record | changes


def requirement(name: str = "cip-tcp-dnat", **changes: Any) -> dict[str, Any]:
    record = {
        "type": "requirement",
        "id": name,
        "area": "clusterip",
        "level": "core",
        "feature": None,
        "reference": "docs: virtual IPs and service proxies",
        "statement": f"What {name} demands.",
        "test": "conformance/clusterip/test_x.py::test_x",
    }
    return record | changes


def fingerprint(mode: str, worker: str = "gw0", **changes: Any) -> dict[str, Any]:
    tools = {"nft": "v1.0.6", "conntrack": "v1.4.7"}
    if mode == "iptables":
        tools["iptables"] = "v1.8.9 (nf_tables)"
    record = {
        "type": "fingerprint",
        "mode": mode,
        "claimed_mode": mode,
        "observed_mode": mode,
        "implementation": "kube-proxy",
        "version": "v1.36.3",
        "sha256": "9b0e6f1d7c" * 6 + "ab12",
        "kernel": "6.18.2-amd64",
        "tools": tools,
        "cpu": "AMD EPYC 7763 64-Core Processor",
        "cpus": 2,
        "python": "3.11.7",
        "worker": worker,
        "node": "node-1",
        "sysctls": {
            "net.ipv4.ip_forward": "1",
            "net.netfilter.nf_conntrack_max": "262144",
            "net.ipv4.conf.all.rp_filter": "0",
        },
        "seconds_to_ready": 0.61 if worker == "gw0" else 0.74,
    }
    return record | changes


def result(
    name: str = "cip-tcp-dnat", mode: str = "iptables", outcome: str = "passed", **changes: Any
) -> dict[str, Any]:
    case = changes.get("case", "")
    record = {
        "type": "result",
        "requirement": name,
        "mode": mode,
        "case": case,
        "nodeid": f"conformance/clusterip/test_x.py::test_x[{mode}{'-' if case else ''}{case}]",
        "outcome": outcome,
        "reason": "",
        "details": "",
        "seconds": 0.12,
        "setup_seconds": 0.1,
        "worker": "gw0",
        "statistics": [],
        "measurements": [],
        "evidence": None,
    }
    return record | changes


def footer(**changes: Any) -> dict[str, Any]:
    record = {
        "finished": "2026-11-23T06:46:21Z",
        "seconds": 81.2,
        "exit": 0,
        "interrupted": False,
        "statistical_tests": 132,
        "false_alarm_bound": 1.3e-5,
    }
    return record | changes


def write(folder: Path, *records: dict[str, Any], **end: Any) -> Path:
    """Write a result file of a default header, the given records and a footer; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [] if records and records[0]["type"] == "run" else [header()]
    text = "".join(map(_line, [*lines, *records]))
    ended = {"type": "end", "lines": text.count("\n"), "digest": digest(text.encode())}
    path = folder / "results.jsonl"
    path.write_text(text + _line(ended | footer(**end)))
    return path


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, separators=(",", ":")).replace("Infinity", "null") + "\n"


def statistic(draw: random.Random, *, skewed: bool = False) -> dict[str, Any]:
    counts = [0] * 5
    for _ in range(4000):
        weights = [2, 1, 1, 1, 1] if skewed else [1] * 5
        counts[draw.choices(range(5), weights)[0]] += 1
    return {
        "name": "uniform over 5 endpoints",
        "discipline": "random",
        "test": "G-test",
        "counts": counts,
        "expected": [800.0] * 5,
        "statistic": 508.2 if skewed else 3.2,
        "p": 3.1e-108 if skewed else draw.uniform(0.05, 0.95),
        "alpha": 1e-7,
        "smallest_skew": 0.04,
        "sample": 4000,
    }


def measurement(draw: random.Random, mode: str) -> dict[str, Any]:
    typical = 0.031 if mode == "iptables" else 0.009
    samples = []
    for _ in range(60):
        low = draw.lognormvariate(0, 0.35) * typical
        samples.append([low, low + draw.uniform(0.0004, 0.004)])
    samples.sort()
    return {
        "name": "sync latency: endpoint added",
        "unit": "s",
        "samples": samples,
        "p50": samples[29],
        "p95": samples[56],
        "p99": samples[59],
        "note": "the proxy's own network_programming histogram says p50 <= 0.25 s",
    }


def _evidence(folder: Path, name: str) -> str:
    place = folder / "evidence" / name
    place.mkdir(parents=True)
    for file in ("external.pcap", "pod.pcap", "rules-after.txt", "rules-before.txt", "proxy.log"):
        (place / file).write_text("evidence\n" * 400)
    (place / "failure.txt").write_text(FAILURE)
    return f"evidence/{name}"


def _outcome(name: str, mode: str, case: str, draw: random.Random, folder: Path) -> dict[str, Any]:
    """What differs from a plain pass in the sample."""
    if name == "lb-uniform":
        bad = mode == "iptables" and case in {"ipv4-TCP-pod", "ipv4-TCP-outside"}
        changes: dict[str, Any] = {"statistics": [statistic(draw, skewed=bad)]}
        if bad:
            changes |= {
                "outcome": "failed",
                "reason": "the endpoints are not chosen uniformly",
                "comparisons": [
                    {
                        "expected": "800 of 4000 connections at each of 5 endpoints",
                        "seen": "1333, 667, 667, 667, 666",
                    }
                ],
                "details": FAILURE,
                "evidence": _evidence(folder, f"lb-uniform-{mode}-{case}"),
            }
        return changes
    if name in {"lb-after-add", "lb-after-remove", "lb-weights-equal"}:
        return {"statistics": [statistic(draw)]}
    if name == "aff-many-clients" and mode == "iptables":
        return {"outcome": "expected-failure", "reason": RECENT}
    if name == "cip-slice-relabel":
        reason = "The first Service keeps the endpoints of a slice that moved to another Service."
        return {"outcome": "expected-failure", "reason": reason}
    if name == "cip-unserved-port" and mode == "nftables" and case.endswith("outside"):
        reason = "no answer <script>alert('x')</script> within 1 s & nothing on the wire"
        return {"outcome": "failed", "reason": reason, "details": "E   \x1b[31mdropped\x1b[0m\x00"}
    if name == "ct-restart-keep" and mode == "iptables":
        return {"outcome": "unexpected-pass", "reason": "listed as broken since v1.30"}
    if name.endswith("sctp") or "sctp" in name:
        return {"outcome": "unclaimed", "reason": "feature sctp"} if mode == "iptables" else {}
    if name == "sync-apiserver-outage":
        return {"outcome": "skipped", "reason": "the API server cannot be stopped here"}
    if name == "sync-latency-add":
        return {"measurements": [measurement(draw, mode)], "seconds": 6.1}
    return {}


def generate(folder: Path) -> Path:
    """Write the whole sample run into a folder; the path of its result file."""
    draw = random.Random(SEED)
    records: list[dict[str, Any]] = [header()]
    rows = [line.split("\t") for line in _TABLE.read_text("utf-8").splitlines()]
    for name, area, level, feature, reference, statement in rows:
        file = _TESTS.get(area, f"{area}/test_{area}.py")
        test = f"conformance/{file}::test_{name.replace('-', '_')}"
        records.append(
            requirement(
                name,
                area=area,
                level=level,
                feature=feature or None,
                reference=reference,
                statement=statement,
                test=test,
            )
        )
    for mode in MODES:
        records += [fingerprint(mode, worker) for worker in ("gw0", "gw1")]
    for row in rows:
        name, area = row[:2]
        for mode in MODES:
            if area in MODES and area != mode:
                continue
            few = area in (*MODES, "sync") or name == "aff-many-clients"
            for case in [""] if few else _CASES:
                changes = _outcome(name, mode, case, draw, folder)
                whole: dict[str, Any] = {"seconds": draw.uniform(0.02, 0.3), "case": case}
                records.append(result(name, mode, **(whole | changes)))
    return write(folder, *records, exit=1)
