"""ClusterIP: connections to a Service's cluster IP reach its endpoints."""

from fixtures.requirement import CORE, requirement


@requirement("cip-tcp-dnat", level=CORE, reference="docs: Service, type ClusterIP")
def test_connection_to_cluster_ip_reaches_a_ready_endpoint(service, client):
    """A new connection to a Service's cluster IP and port is sent to the address and target port of one
    ready endpoint, and its replies come back from the cluster IP."""
    web = service(endpoints=3)
    probe = client.connect(web.cluster_ip, web.port)
    assert probe.endpoint in web.endpoints
    assert probe.answered
