"""What a Service proxy must do: a folder an area, a file a theme, a function a requirement."""

AREAS = {
    "clusterip": "Cluster IPs",
    "distribution": "Which endpoint a connection is given",
    "affinity": "Session affinity",
    "nodeport": "NodePorts",
    "masquerade": "Whose address an endpoint sees",
    "integrity": "What a proxy must leave alone in a packet",
    "traffic_policy": "Traffic policies",
    "census": "Every combination of policies and states of endpoints",
    "combinations": "Everything that Services may have, in every pair",
    "sequences": "Any sequence of changes",
    "topology": "Topology hints",
    "no_endpoints": "Services without endpoints",
    "conntrack": "Connections that are known already",
    "health_check": "Health checks of load balancers",
    "sync": "How soon and how smoothly changes take effect",
    "lifecycle": "Restarts of the proxy",
    "kube_proxy": "Inside kube-proxy",
    "iptables": "Inside kube-proxy's iptables mode",
    "nftables": "Inside kube-proxy's nftables mode",
    "ipvs": "Inside kube-proxy's IPVS mode",
}
"""Titles of the areas, in the order of reading: what binds every proxy comes first."""
