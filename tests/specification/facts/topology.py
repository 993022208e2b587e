"""Hints for zones and nodes, and their safeguards. The node is in zone-a."""

from tests.specification.table import table

CATEGORIZE = table("""
TestCategorizeEndpoints, hints for zones
    pod > cip    | l@a r@b f@a m@b          | l f by client
  eTP Local ignores them
    outside > np | l@b m@a r@a f@b          | l m by client   | etp=Local
  iTP Local ignores them
    pod > cip    | l@b m@a r@a f@b          | l m by client   | itp=Local
  node without labels
    pod > cip    | l@a r@b                  | l r by client   | zone=none
  its label is empty
    pod > cip    | l@a r@b                  | l r by client   | zone=
  node in a zone that none names
    pod > cip    | l@a r@b                  | l r by client   | zone=zone-c
  an unready one without
    pod > cip    | l@a r@b m:unready f:gone | l by client
  only unready ones for the zone
    pod > cip    | l:unready@a r@b f@c      | r f by client
  one ready one without
    pod > cip    | l@a r@b f                | l r f by client
  several zones in one
    pod > cip    | l@abc r@bc f@ca          | l f by client
  hints for nodes
    pod > cip    | l@a%0 m@a%0 r@a%1 f@b%2  | l m by client
  some without: zones
    pod > cip    | l@a%0 m@a r@a%1 f@b%2    | l m r by client
  none for this node: zones
    pod > cip    | r@a%1 s@a%1 f@b%2        | r s by client
  excluded inside, used outside
    pod > cip    | l@b r@a f@b              | r by client     | etp=Local
    outside > np | l@b r@a f@b              | l by client     | etp=Local
PreferSameNode gate off
    pod > cip    | l@a%0 r@a%1 f@b%2        | l r by client   |  | the gate is gone
""")

PEERS = table("""
e2e topology_hints
    pod > cip | l@a r@a f@b               | l r by client
e2e traffic_distribution, PreferClose
    pod > cip | l@a f@b                   | l by client
  on several nodes
    pod > cip | l@a r@a f@b               | l r by client
  PreferSameZone
    pod > cip | l@a f@b                   | l by client
  on several nodes
    pod > cip | l@ab r@a f@b              | l r by client
  PreferSameNode
    pod > cip | l@a%0 r@a%1 f@b%2         | l by client
  none on it: the zone
    pod > cip | r@a%1 f@b%2               | r by client
  gone
    pod > cip | l:unready@a%0 r@a%1 f@b%2 | r by client
  and back
    pod > cip | l@a%0 r@a%1               | l by client
Cilium prefer-same-node
    pod > cip | l@a%0 r@a%1               | l by client
    pod > cip | r@a%1 f@b%2               | r by client
Cilium prefer-same-zone-fallback
    pod > cip | r@b f@b                   | r f by client
Cilium topology-aware
    pod > cip | l@a f@b                   | l by client
    pod > cip | l@a f                     | l f by client
  the node's label changes
    pod > cip | l@a f@b                   | f by client   | zone=zone-b
Cilium topology-aware-terminating
    pod > cip | l@a m:draining f@b        | l by client
Cilium topology-aware-starting
    pod > cip | l:unready@a%0 r@a%1       | r by client
Calico syncer, hints
    pod > cip | l@a f@b                   | l by client
  without
    pod > cip | l f                       | l f by client
  node first
    pod > cip | l@a%0 r@a%1               | l by client
  zone as fallback
    pod > cip | r@a%1 f@b%2               | r by client
  none matches
    pod > cip | r@c f@b                   | r f by client
Calico topology_test
    pod > cip | l@a f@b                   | l by client
  no zone of its own
    pod > cip | l@a f@b                   | l f by client | zone=
  one without
    pod > cip | l f@b                     | l f by client
  none matches
    pod > cip | f@b                       | f by client   | zone=zone-c
  one without a node's
    pod > cip | l@a r@a%1                 | l r by client
""")

BEYOND = table("""
KEP-2433, external frontends, too
    outside > np  | l@a f@b                       | l by node
    outside > lb  | l@a f@b                       | l by node
    outside > eip | l@a f@b                       | l by node
KEP-3015, the same
    outside > np  | l%0 r%1                       | l by node
  the short cut is Cluster's
    pod > np      | l@b r@a                       | r by client      | etp=Local
    node > lb     | l@b r@a                       | r by node        | etp=Local
  nodes alone, none for this
    pod > cip     | r%1 f%2                       | r f by client
  nodes before zones
    pod > cip     | l@b%0 r@a%1                   | l by client
  several nodes in one
    pod > cip     | l%1 r%02 f%2                  | r by client
KEP-3015, kube-proxy before it (canUseTopology of 1.32.2) goes by zones
    pod > cip     | l%0 r%1                       | l r by client    | -node-hints
    pod > cip     | l@b%0 r@a%1                   | r by client      | -node-hints
    outside > np  | l@b%0 r@a%1                   | r by node        | -node-hints
KEP-4444, kube-proxy before it (canUseTopology of 1.30.4) goes by the annotation
    pod > cip     | l@a f@b                       | l f by client    | -unannotated-hints
    outside > np  | l@a f@b                       | l f by node      | -unannotated-hints
    pod > cip     | l%0 r%1                       | l r by client    | -unannotated-hints
    pod > cip     | l@a f@b                       | l by client      | shape=asks -unannotated-hints
    pod > cip     | l@a f@b                       | l by client      | shape=asks
an unready one without a node's
    pod > cip     | l%0 r%1 m:draining            | l by client
fallback ignores hints
    pod > cip     | l:draining@b r:draining@a     | l r by client
    pod > cip     | l:draining%1 r:draining%0     | l r by client
  Local, too
    pod > cip     | l:draining@b m:draining@a r@a | l m by client    | itp=Local
for each port by itself
    pod > cip     | l@a f@b                       | l by client      | shape=split-ports
    pod > cip:81  | l@a f@b                       | f:9090 by client | shape=split-ports
for each family by itself
    pod > cip     | l@a f@b                       | l by client      | v4 shape=slices4
no node's zone is empty
    pod > cip     | l@a f@b                       | l f by client    | zone=
one hint is as good as many
    pod > cip     | l@a                           | l by client
unhinted all
    pod > cip     | l r f                         | l r f by client
local policy, hinted elsewhere
    pod > cip     | l%1 r%0                       | l by client      | itp=Local
""")
