"""What the suite itself costs: connections per second, time to a settled cluster, time per
requirement.

    tox run -e benchmark [-- --modes nftables --rounds 5]

Absolute figures depend on the machine; compare those of one run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clusters import implementation, sandbox
from clusters.build import artifacts
from clusters.embedded.substrate import Embedded
from fixtures.lab.frames import NUMBERS
from fixtures.lab.hosts import Hosts
from fixtures.lab.lab import Lab
from fixtures.lab.sample import to_bytes
from fixtures.services.canary import Canary
from fixtures.services.services import Services
from reports.model.run import read
from specification.addresses import FAMILIES
from specification.errors import ResultFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clusters.contract import Cluster, Node

CONNECTIONS = 40_000


def main() -> int:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--modes", default="iptables,nftables", help="kube-proxy's modes")
    parser.add_argument("--rounds", type=int, default=3, help="samples per figure (default: 3)")
    parser.add_argument("--results", default="results/latest", help="run to read times from")
    options = parser.parse_args()
    binaries = artifacts.ensure()
    if not sandbox.inside():
        sandbox.enter([sys.executable, "-m", "tests.benchmark", *sys.argv[1:]])
    binaries["proxy"] = binaries["kube-proxy"]
    with tempfile.TemporaryDirectory() as folder:
        kube_proxy = implementation.load("kube-proxy")
        substrate = Embedded(kube_proxy, binaries, Path(folder) / "cluster")
        print(f"control plane ready   {substrate.seconds_to_ready:8.2f} s")
        for mode in options.modes.split(","):
            start = time.monotonic()
            cluster = substrate.cluster(mode)
            node = cluster.node()
            node.proxy.start()
            for line in measure(cluster, node, start, options.rounds):
                print(f"{mode:10}{line}", flush=True)
            node.close()
        substrate.close()
    for line in times(Path(options.results)):
        print(line)
    return 0


def measure(cluster: Cluster, node: Node, start: float, rounds: int) -> Iterator[str]:
    """Lines with the figures of one node, which was asked for at the monotonic time ``start``."""
    hosts = Hosts()
    lab = Lab(node)
    canary = Canary(cluster.api, node, lab, hosts)
    canary.settle()
    yield f"node up and settled   {time.monotonic() - start:8.2f} s"
    yield f"change settled        {_median(canary.settle() for _ in range(rounds * 5)):8.3f} s"
    names = iter(f"benchmark-{node.name}-{number}" for number in range(1000))
    for family in FAMILIES:
        for protocol in NUMBERS:
            services = Services(cluster.api, canary, hosts, node, family, protocol, names.__next__)
            web = services(10)
            client = to_bytes([hosts("pod")[0].address(family)])
            target = to_bytes([web.cluster_ip])
            walls, busy = [], []
            for _ in range(rounds):
                node.host.conntrack.flush()
                wall, cpu = time.perf_counter(), sum(os.times()[:2])
                ports = np.full(CONNECTIONS, web.port)
                sample = lab.exchange(lab.attempts(family, protocol, client, target, ports), "pod")
                walls.append(CONNECTIONS / (time.perf_counter() - wall))
                busy.append(CONNECTIONS / (sum(os.times()[:2]) - cpu))
                assert sample.is_served.all(), sample
            yield (
                f"{family} {protocol:4}             {statistics.median(walls):8,.0f} new"
                f" connections/s answered and accounted for, {statistics.median(busy):,.0f} a CPU"
                " second"
            )
            services.close()
    canary.close()


def times(folder: Path) -> Iterator[str]:
    """Lines with the time that each area and the slowest requirements of a run took."""
    try:
        run = read(folder)
    except ResultFileError as problem:
        yield f"time per requirement: {problem}"
        return
    spent: dict[str, list[float]] = defaultdict(list)
    for result in run.results:
        spent[result.requirement].append(result.seconds + result.setup_seconds)
    totals = {name: sum(seconds) for name, seconds in spent.items()}
    median = statistics.median(totals.values())
    yield f"time per requirement   median {median:.2f} s in {len(run.modes)} modes; the slowest:"
    for name in sorted(totals, key=lambda each: -totals[each])[:10]:
        yield f"  {name:40} {totals[name]:6.2f} s in {len(spent[name])} cases"


def _median(seconds: Iterator[float] | Sequence[float]) -> float:
    return statistics.median(seconds)


if __name__ == "__main__":
    sys.exit(main())
