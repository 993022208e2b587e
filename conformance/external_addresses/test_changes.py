"""Load balancers' IPs and external IPs that come and go."""

from __future__ import annotations

from dataclasses import replace

from conformance.external_addresses.everybody import (
    PROTOCOLS,
    leaves_alone,
    serves,
)
from conformance.vocabulary import (
    BOTH,
    FAMILIES,
    Ingress,
    LabClient,
    Service,
    arranged,
    docs,
    e2e,
    kep,
    over,
    requirement,
    source,
)

pytestmark = over(families=FAMILIES, protocols=PROTOCOLS)


@requirement(
    "lbip-added",
    docs("service", "type LoadBalancer"),
    e2e("loadbalancer", "change the type and ports of a TCP service"),
)
@arranged(2, ports=BOTH, exposed=True, type="NodePort")
def test_load_balancers_ip_is_added(web: Service, clients: list[LabClient]) -> None:
    """Once a Service has become one of type LoadBalancer and its status lists an IP, new
    connections to that IP must be sent to its endpoints; before, they are not for the proxy.
    """
    ips = web.spec.load_balancer_ips
    leaves_alone(clients, ips)
    web.update(type="LoadBalancer", load_balancer_ips=(), settle=False)
    web.update(load_balancer_ips=ips)
    serves(web, clients, ips)


@requirement(
    "lbip-removed",
    docs("service", "type LoadBalancer"),
    e2e("loadbalancer", "change the type and ports of a TCP service"),
)
@arranged(2, ports=BOTH, exposed=True)
def test_load_balancers_ip_is_removed(web: Service, clients: list[LabClient]) -> None:
    """Once the status of a Service no longer lists an IP of its load balancer, or its type is
    another, what is sent to that IP must leave the node untouched, and the Service's other
    frontends must be served as before.
    """
    ips = web.spec.load_balancer_ips
    serves(web, clients, ips)
    web.update(load_balancer_ips=())
    leaves_alone(clients, ips)
    serves(web, clients, web.spec.external_ips)
    web.update(load_balancer_ips=ips)
    serves(web, clients, ips)
    web.update(type="NodePort")
    leaves_alone(clients, ips)
    serves(web, clients, web.spec.external_ips)


@requirement("ipm-switch", kep(1860))
@arranged(2, ports=BOTH, exposed=True)
def test_ip_mode_changes(web: Service, clients: list[LabClient]) -> None:
    """Once the ipMode of a load balancer's IP has become Proxy, what is sent to that IP must leave
    the node untouched, and once it is VIP again, it must be sent to the Service's endpoints.
    """
    vips = web.spec.ingress
    serves(web, clients, vips)
    proxies: list[Ingress] = [replace(each, ip_mode="Proxy") for each in vips]
    web.update(load_balancer_ips=proxies)
    leaves_alone(clients, vips)
    web.update(load_balancer_ips=[replace(each, ip_mode="VIP") for each in vips])
    serves(web, clients, vips)


@requirement(
    "eip-add-remove", docs("service", "external IPs"), source("pkg/proxy/servicechangetracker.go")
)
@arranged(2, ports=BOTH, exposed=True, type="ClusterIP")
def test_external_ips_come_and_go(web: Service, clients: list[LabClient]) -> None:
    """Once an external IP is taken from a Service, what is sent to it must leave the node
    untouched, and once it is added, new connections to it must be sent to the Service's endpoints.
    """
    ips = web.spec.external_ips
    serves(web, clients, ips)
    web.update(external_ips=())
    leaves_alone(clients, ips)
    web.update(external_ips=ips)
    serves(web, clients, ips)
