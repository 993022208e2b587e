"""Topology: which zone the node is in is for its Node object to say."""

from __future__ import annotations

from conformance.vocabulary import (
    FAMILIES,
    FewOfManyError,
    Service,
    Services,
    ServiceSpec,
    UnexpectedOutcomeError,
    World,
    arranged,
    docs,
    issue,
    kep,
    over,
    requirement,
    source,
)
from fixtures.world import zone
from specification.places import ZONES
from specification.services import TOPOLOGY_MODE

HERE, THERE = ZONES[0], ZONES[-1]
"""The zone of the node under test, and another."""

_OTHERS = (
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "example.com/zone",
)
"""Labels that might be taken for that of the zone."""

STARTS = 4
"""How often a proxy is started; twice where it takes seconds each time."""

pytestmark = over(protocol="TCP", families=FAMILIES)


def _one_each(service: Services) -> ServiceSpec:
    """An endpoint for each of the two zones."""
    return service.spec(
        [service.endpoint("pod", for_zones=(each,)) for each in (HERE, THERE)],
        annotations=TOPOLOGY_MODE,
    )


@requirement(
    "topo-label-change",
    docs("topology-aware-routing"),
    source("pkg/proxy/config/config.go", "NodeTopologyConfig"),
)
@arranged(_one_each)
def test_the_zone_of_the_node_may_change(web: Service, world: World) -> None:
    """When the zone that a Node's label says changes, new connections must go to the endpoints that
    are hinted for the new zone.
    """
    try:
        for name in (THERE, HERE):
            if not zone.move(world, web, name):
                raise UnexpectedOutcomeError(f"endpoints for {name} alone", "others, too")
    finally:
        zone.label(world, HERE)


@requirement(
    "topo-no-zone-label",
    kep(2433),
    source("pkg/proxy/topology_test.go", "TestCategorizeEndpoints"),
)
@arranged(_one_each)
def test_a_node_may_have_no_zone(web: Service, world: World) -> None:
    """Where the Node has no zone label, or an empty one, hints for zones must be ignored, and
    followed again once it has one.
    """
    try:
        for none in ("", None):
            if not zone.leave(world, web, none):
                raise UnexpectedOutcomeError("all endpoints", f"those for {HERE} alone")
            if not zone.move(world, web, HERE):
                raise UnexpectedOutcomeError(f"endpoints for {HERE} alone", "others, too")
    finally:
        zone.label(world, HERE)


@requirement("topo-other-labels", kep(2433), source("pkg/proxy/topology.go", "CategorizeEndpoints"))
@arranged(_one_each)
def test_other_labels_say_nothing_of_the_zone(web: Service, world: World) -> None:
    """The zone of a node must be what its label topology.kubernetes.io/zone says, whatever its
    region and its other labels are.
    """
    try:
        zone.label(world, THERE, **dict.fromkeys(_OTHERS, THERE))
        for name in (THERE, HERE):
            if not zone.move(world, web, name):
                raise UnexpectedOutcomeError(f"endpoints for {name} alone", "others, too")
    finally:
        zone.label(world, HERE, **dict.fromkeys(_OTHERS))


@requirement("topo-zone-at-start", kep(2433), issue(143275))
@arranged(_one_each)
def test_the_zone_is_known_from_the_start(web: Service, world: World) -> None:
    """A proxy must heed hints for the zone that its Node said before it started."""
    starts = 2 if world.node.system.emulated else STARTS
    missed = 0
    for _ in range(starts):
        world.node.proxy.restart()
        world.canary.settle(removed=False, started=True)
        missed += not zone.is_heeded(world, web, HERE)
    if missed:
        kind = FewOfManyError if missed == 1 else UnexpectedOutcomeError
        raise kind(f"endpoints for {HERE} alone", f"others, too, after {missed} of {starts} starts")
