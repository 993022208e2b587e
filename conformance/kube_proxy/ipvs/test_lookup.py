"""How IPVS finds the virtual server of a packet: by one lookup in a hash table."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence

from conformance.vocabulary import (
    Client,
    Family,
    Interval,
    Measure,
    Node,
    Service,
    SocketAddress,
    World,
    arranged,
    docs,
    expect,
    in_ipvs,
    measurement,
    networks,
    over,
    quantile,
    source,
)

_EXCLUDED = networks("100.64.0.0/16", "2001:db8:0:100::/64")
_LEAVING_THEM_ALONE = {"ipvs": {"excludeCIDRs": [str(network) for network in _EXCLUDED.values()]}}
_MORE = 4000
_BATCH = 512  # packets that the lab sends in one go
_BATCHES = 30
_AT_MOST = 300
_ALIKE = 1.25
_FLAT = 2.0
"""How many times longer first packets may take: with one rule more to pass for each of so many
Services it is seven times and more.
"""


@contextlib.contextmanager
def virtual_servers(node: Node, family: Family, count: int) -> Iterator[None]:
    """Have so many virtual servers more, of UDP, for the time of the block."""
    addresses = [_EXCLUDED[family][number + 1] for number in range(count)]
    names = [SocketAddress(address, 80) for address in addresses]
    restore = ["ipvsadm", "--restore"]
    node.run(restore, input="".join(f"-A -u {name} -s rr\n" for name in names))
    try:
        # kube-proxy may take away others meanwhile, of Services that are gone
        there = {each.address for each in node.host.ipvs.virtual_servers}
        if lacking := set(map(str, addresses)) - there:
            raise RuntimeError(f"{len(lacking)} of {count} virtual servers are not there")
        yield
    finally:
        node.run(restore, input="".join(f"-D -u {name}\n" for name in names))


def first_packets(client: Client, web: Service, usual: float = math.inf) -> list[Interval]:
    """Seconds that the node takes for the first packet of a connection: an average for each of some
    batches that come to it at once; of more batches as long as the fastest is slower than ``usual``
    and a busy machine may be why.
    """
    samples = list[Interval]()
    while len(samples) < _BATCHES or (
        len(samples) < _AT_MOST and usual * _ALIKE < fastest(samples)
    ):
        sample = client.connect_many(*web.frontend, _BATCH)
        expect(sample).delivered(reply="any")
        times = sample.arrival_times
        seconds = float(times.max() - times.min()) / 1e9 / (_BATCH - 1)
        samples.append(Interval(seconds, seconds))
    return samples


@in_ipvs(
    "ipvs-hash-lookup", source("pkg/proxy/ipvs/README.md"), docs("virtual-ips", "proxy mode ipvs")
)
@over(configuration={"exclude": _LEAVING_THEM_ALONE}, protocol="UDP")
@arranged(1, shared=True)
def test_first_packet_takes_as_long_with_many_virtual_servers(
    web: Service, client: Client, world: World, measure: Measure
) -> None:
    """However many virtual servers there are, the first packet of a connection must take as long:
    its virtual server is looked up in a hash table.
    """
    world.lab.silent |= {each.address for each in web.endpoints}
    first_packets(client, web)  # what is slower at first does not count
    before = first_packets(client, web)
    # made past kube-proxy, which would take hours for so many Services, and leaves these alone
    with virtual_servers(world.node, client.family, _MORE):
        among_many = first_packets(client, web, middle(before))
    after = first_packets(client, web)
    name = f"first packet of a connection in IPVS mode, {client.family}"
    note = f"Each sample is the average of {_BATCH} connections that come at once."
    measure(measurement(f"{name}, a few virtual servers", before + after, note))
    measure(measurement(f"{name}, {_MORE} more", among_many, note))
    usual = middle(before + after)
    ratio = fastest(among_many) / usual
    if ratio >= _FLAT and not usual / 1.5 < middle(after) < usual * 1.5:
        raise RuntimeError(f"the machine is too unsteady to tell: {before}, {after}")
    assert ratio < _FLAT, f"with {_MORE} virtual servers more it takes {ratio:.2f} times as long"


def fastest(samples: Sequence[Interval]) -> float:
    """Seconds: of those that may be slower for whatever else the machine does."""
    return min(each.low for each in samples)


def middle(samples: Sequence[Interval]) -> float:
    """Seconds, for comparison: packets that have waited come faster than they were sent, so that a
    batch may seem to take half of its time.
    """
    return quantile(samples, 0.5).low
