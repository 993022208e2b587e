"""Flows that are there when something changes: with whom they stay, and whom they leave.

``had=l/client`` is the endpoint that has got it, and whose address it has seen; ``had=`` nobody.
``since=l:gone+m`` are the endpoints that were there in between.
"""

from tests.specification.table import table

DATAGRAMS = table("""
TestCleanStaleEntries, the endpoint has gone
    pod > cip     | m s           | m s by client    | udp shape=udp had=l/client
    outside > lb  | m s           | m s by node      | udp shape=udp had=l/node
    outside > eip | m s           | m s by node      | udp shape=udp had=l/node
    outside > np  | m s           | m s by node      | udp shape=udp had=r/node
  it serves no longer
    pod > cip     | l:unready m   | m by client      | udp shape=udp had=l/client
    pod > cip     | l:gone m      | m by client      | udp shape=udp had=l/client
  it has another port
    pod > cip     | l             | l:9090 by client | udp shape=udp-remapped had=l/client
    outside > lb  | l             | l:9090 by node   | udp shape=udp-remapped had=l/node
    outside > eip | l             | l:9090 by node   | udp shape=udp-remapped had=l/node
    outside > np  | l             | l:9090 by node   | udp shape=udp-remapped had=l/node
  it serves
    pod > cip     | l m           | l by client      | udp shape=udp had=l/client
    pod > cip     | l:draining m  | l by client      | udp shape=udp had=l/client
    pod > cip     | l:draining m  | l by client      | udp shape=udp had=l/client lean
    pod > cip     | l:serving m   | l by client      | udp shape=udp had=l/client
  untranslated
    pod > cip     | l             | l by client      | udp shape=udp had=
    outside > lb  | l             | l by node        | udp shape=udp had=
    outside > eip | l             | l by node        | udp shape=udp had=
TestServiceWithoutEndpoints, of 1.37
    pod > cip     |               | refused          | udp shape=udp had=l/client
    outside > lb  |               | refused          | udp shape=udp had=l/node
    outside > eip |               | refused          | udp shape=udp had=l/node
  the nodePort
    outside > np  |               | l by node        | udp shape=udp had=l/node | spares nodePorts
TestDeletedUDPServices, of 1.38
    outside > lb  | l             | passed           | udp shape=orphans had=l/node | not earlier
e2e conntrack, server pod cycles
    outside > np  | m             | m by node        | udp shape=udp had=l/node
    pod > cip     | m             | m by client      | udp shape=udp had=l/client
  iTP Local
    pod > cip     | m r           | m by client      | udp shape=udp itp=Local had=l/client
  client in the host's network
    node > cip    | m             | m by node        | udp shape=udp had=l/node
  an unready one gets ready
    pod > cip     | l             | l by client      | udp shape=udp had=
  target port changes
    outside > np  | l             | l:9090 by node   | udp shape=udp-remapped had=l/node
e2e loadbalancer, UDP server pod cycles
    outside > lb  | r             | r by node        | udp shape=udp had=s/node
    outside > lb  | m             | m by node        | udp shape=udp had=l/node
Cilium tc_nodeport_lb_terminating_backend, existing
    outside > np  | l:draining m  | l by node        | udp shape=udp had=l/node
Calico syncer, UDP with its backend
    pod > cip     | m             | m by client      | udp shape=udp had=l/client
  terminating
    pod > cip     | l:draining m  | l by client      | udp shape=udp had=l/client
service-validator, unready init
    pod > cip     | l             | l by client      | udp shape=udp had=
others come and go
    pod > cip     | l m r         | l by client      | udp shape=udp had=l/client
    pod > cip     | l m r         | m by client      | udp shape=udp had=m/client lean
new ones avoid it
    pod > cip     | l:serving m   | open             | udp shape=udp had=l/client lean
    pod > cip     | l m:serving   | l by client      | udp shape=udp had=l/client lean
    pod > cip     | l r           | r by client      | udp shape=udp itp=Local had=r/client
    pod > cip     | l r           | open             | udp shape=udp itp=Local had=r/client lean
    pod > cip | l@a r@b | open | udp shape=udp had=r/client -conservative-udp-cleanup
    pod > cip     | r:draining l  | r by client      | udp shape=udp itp=Local had=r/client lean
published, not serving
    pod > cip     | l:published m | open             | udp shape=udp had=l/client
none serves
    pod > cip     | l:gone        | refused          | udp shape=udp had=l/client
the last has gone from here
    outside > np  | r             | dropped          | udp shape=udp etp=Local had=l/client
shut out by now
    outside > lb  | l m           | open             | udp shape=udp ranges=nobody had=l/node
    outside > np  | l m           | l by node        | udp shape=udp ranges=nobody had=l/node
the frontend has gone
    outside > np  | l             | open             | udp shape=bare had=l/node
TestCleanStaleEntries, it served in between
    pod > cip     | l:draining m  | l by client      | udp shape=udp had=l/client since=l+r
  it did not
    pod > cip     | l:draining m  | open             | udp shape=udp had=l/client since=l:gone+r
    pod > cip     | l m           | open             | udp shape=udp had=l/client since=l:published
    outside > np  | m             | m by node        | udp shape=udp had=l/node since=l
""")

CONNECTIONS = table("""
TestCleanStaleEntries, TCP
    pod > cip    | m s          | l by client | had=l/client
  SCTP
    pod > cip    | m s          | l by client | sctp shape=sctp had=l/client | promised by nobody
TestServiceWithoutEndpoints, TCP
    pod > cip    |              | l by client | had=l/client
e2e pod_lifecycle
    pod > cip    | l:draining m | l by client | had=l/client
  unready
    pod > cip    | l:unready m  | l by client | had=l/client lean
gone, not serving, listed
    pod > cip    | l:gone m     | l by client | had=l/client lean
endpoints are added
    outside > np | l m r        | l by node   | had=l/node lean
endpoints are removed
    pod > cip    | l            | l by client | had=l/client lean
the own one is
    pod > cip    | m            | open        | had=l/client lean
policies change
    pod > cip    | l r          | r by client | had=r/client itp=Local lean
    outside > np | l r          | r by node   | had=r/node etp=Local lean
    outside > np | l r          | l by client | had=l/client
hints change
    pod > cip    | l@a f@b      | f by client | had=f/client lean
SCTP, listed
    pod > cip    | l:unready m  | l by client | sctp shape=sctp had=l/client
  removed
    pod > cip    | m            | open        | sctp shape=sctp had=l/client
shut out by now
    outside > lb | l m          | open        | ranges=nobody had=l/node
  ranges are for new ones
    outside > lb | l m          | l by node   | ranges=nobody had=l/node +ranges-for-new-connections
unlisted in between
    pod > cip    | l m          | l by client | had=l/client since=m
  and may be ended by that
    pod > cip    | l m          | open        | had=l/client since=m -established-outlives-endpoint
the Service has gone
    pod > cip    | l            | open        | shape=orphans had=l/client
    outside > np | l            | open        | type=ClusterIP had=l/node
Calico syncer, deleted
    pod > cip    | l            | passed      | shape=orphans had=l/client | ends its connections
""")
