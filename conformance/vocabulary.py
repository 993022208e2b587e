"""All that a test needs, in one import."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from clusters.contract import Node
from clusters.wires import MTU, Frames
from conformance.arrangements import (
    WEB_AND_ADMIN,
    ending,
    here_and_there,
    node_ports_here_and_there,
    two,
)
from fixtures.clients.client import Client, Crowd, Crowds, LabClient
from fixtures.clients.flows import UDP_TIMEOUT, Flows
from fixtures.clients.health import Answer, Health, answer, answer_at, health
from fixtures.clients.node_client import NodeClient
from fixtures.clients.node_server import NodeServer
from fixtures.clients.speaker import Speaker
from fixtures.judge.expect import Expectation, FewOfManyError, UnexpectedOutcomeError, expect
from fixtures.judge.judgement import Budget, Judge
from fixtures.judge.statistics import (
    all_hit,
    consistent,
    independent,
    round_robin,
    share,
    spread,
    successive,
    tally,
    uniform,
)
from fixtures.judge.tails import sample_size, sample_to_hit_all
from fixtures.lab import icmp
from fixtures.lab.arp_nd import Neighbours
from fixtures.lab.hosts import itself
from fixtures.lab.lab import Lab
from fixtures.lab.sample import Sample
from fixtures.plugin.arrangement import arranged
from fixtures.plugin.requirement import requirement
from fixtures.plugin.variants import over
from fixtures.services.services import Service, Services
from fixtures.world.addresses import having
from fixtures.world.by_time import by_time
from fixtures.world.fixtures import Pool
from fixtures.world.latency import (
    LIMIT,
    Change,
    OwnWord,
    measurement,
    time_changes,
    trigger_time,
)
from fixtures.world.shapes import drawn
from fixtures.world.traffic import (
    at_node,
    between_looks,
    client_of_each_kind,
    clients_of,
    down,
    during,
    flows_of_each_kind,
)
from fixtures.world.world import World
from reports.records.base import Interval, quantile
from specification.addresses import (
    CLUSTER_CIDRS,
    EXTERNAL_IPS,
    FAMILIES,
    LOAD_BALANCER_IPS,
    LOOPBACK,
    NODE_NETWORKS,
    OUTSIDE,
    ROUTERS,
    SERVICE_RANGES,
    Family,
    IPAddress,
    family_of,
    networks,
    numbered,
)
from specification.attempts import SocketAddress
from specification.errors import StartError, TimingError
from specification.outcomes import Delivered, Dropped, PassedThrough, Probe, Rejected, Reply
from specification.packets import PLAIN, Rule, Shape
from specification.places import Place, Vantage
from specification.references import (
    api,
    docs,
    e2e,
    future_conformance,
    issue,
    kep,
    linux,
    man,
    rfc,
    setting,
    source,
)
from specification.services import (
    HEADLESS,
    Endpoint,
    Ingress,
    Object,
    Port,
    Protocol,
    ServiceSpec,
    Slice,
    TrafficPolicy,
)

in_iptables = partial(requirement, feature="iptables-rules")
in_nftables = partial(requirement, feature="nftables-rules")
in_ipvs = partial(requirement, feature="ipvs-rules")
"""Requirements for the inside of one mode of kube-proxy: what it has programmed."""

Measure = Callable[..., None]
"""Records a measurement for the report: the fixture ``measure``."""

ATTEMPTS = 16
"""So many connections where a few are enough."""

FLOWS = 8
"""So many that stay open."""

BOTH = (Port(80, 8080, "TCP", "web"), Port(80, 8080, "UDP", "datagrams"))
"""A TCP and a UDP port of one number, for tests that see to both protocols."""
