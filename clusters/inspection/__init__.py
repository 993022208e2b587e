"""Looking into a node through testinfra: its nftables, iptables, IPVS, ipset and conntrack tables.

`clusters.inspection.netns.host(path)` is a testinfra host for a network namespace;
`clusters.inspection.host.Host(backend)` is the same for any other testinfra backend.
"""
