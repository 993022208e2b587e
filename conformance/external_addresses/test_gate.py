"""External IPs, switched off."""

from __future__ import annotations

from conformance.external_addresses.everybody import PROTOCOLS, leaves_alone, of_all_kinds, serves
from conformance.vocabulary import (
    BOTH,
    FAMILIES,
    Service,
    World,
    arranged,
    kep,
    over,
    requirement,
    source,
)


@requirement(
    "eip-gate-off",
    kep(5707),
    source("pkg/proxy/serviceport.go", "AllowServiceExternalIPs"),
    feature="external-ips-gate",
)
@over(
    families=FAMILIES,
    protocols=PROTOCOLS,
    configuration={"off": {"featureGates": {"AllowServiceExternalIPs": False}}},
)
@arranged(2, ports=BOTH, exposed=True)
def test_external_ips_are_off(web: Service, world: World) -> None:
    """Where the gate AllowServiceExternalIPs is off, what is sent to a Service's external IP must
    leave the node untouched, and its other frontends must be served.
    """
    clients = of_all_kinds(world)
    leaves_alone(clients, web.spec.external_ips)
    serves(web, clients, web.spec.load_balancer_ips)
    serves(web, clients[:4], web.cluster_ips)
