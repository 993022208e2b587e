"""After a change, and settled: what is served now, and what no longer is."""

from tests.specification.table import table

TYPES = table("""
e2e service, to NodePort
    outside > np  | l r | l r by node           | type=NodePort
  one number, TCP and UDP
    outside > np  | l r | l r by node           | type=NodePort shape=three
    outside > np  | l r | l:8081 r:8081 by node | udp shape=three
e2e service, ExternalName to ClusterIP
    pod > cip     | l r | l r by client         | type=ClusterIP
  to NodePort
    pod > np      | l r | l r by node           | type=NodePort
e2e loadbalancer, to NodePort
    outside > np  | l r | l r by node           | type=NodePort
    outside > lb  | l r | passed                | type=NodePort
  to LoadBalancer
    outside > lb  | l r | l r by node           |
    outside > np  | l r | l r by node           |
  to ClusterIP
    outside > lb  | l r | passed                | type=ClusterIP
    outside > np  | l r | refused               | type=ClusterIP
    pod > cip     | l r | l r by client         | type=ClusterIP
  the same in UDP
    outside > lb  | l r | l r by node           | udp shape=udp
    outside > lb  | l r | passed                | udp shape=udp-bare
    outside > np  | l r | refused               | udp shape=udp-bare
e2e loadbalancer, without nodePorts
    outside > lb  | l r | l r by node           | shape=no-node-port
    outside > lb  | l r | l by client           | shape=no-node-port etp=Local
IPVS TestBuildServiceMapServiceUpdate
    outside > lb  | l r | l r by node           |
    outside > lb  | l r | passed                | type=ClusterIP
TestBuildServiceMapServiceUpdate
    outside > lb  | l r | l by client           | etp=Local
    outside > lb  | l r | passed                | type=ClusterIP
Calico service_type_change_test, externalIP added
    outside > eip | l r | l r by node           | shape=eip-alone
  removed
    outside > eip | l r | passed                | shape=bare
    pod > eip     | l r | passed                | shape=bare
  ClusterIP to LoadBalancer
    outside > lb  | l r | l r by node           |
  LoadBalancer to ClusterIP
    outside > lb  | l r | passed                | shape=bare
  ClusterIP to NodePort
    outside > np  | l r | l r by node           | type=NodePort
  NodePort to ClusterIP
    outside > np  | l r | refused               | shape=bare
  NodePort to externalIP
    outside > eip | l r | l r by node           | shape=eip-alone
    outside > np  | l r | refused               | shape=eip-alone
  externalIP to NodePort
    outside > eip | l r | passed                | shape=bare-node-port
    outside > np  | l r | l r by node           | shape=bare-node-port
  NodePort to LoadBalancer
    outside > np  | l r | l r by node           |
    outside > lb  | l r | l r by node           |
  LoadBalancer to externalIP
    outside > lb  | l r | passed                | shape=eip-alone
    outside > eip | l r | l r by node           | shape=eip-alone
  LoadBalancer to NodePort
    outside > lb  | l r | passed                | shape=bare-node-port
Calico fv, externalIP to nodePort
    outside > eip | l r | passed                | shape=bare-node-port
  and to ClusterIP
    outside > eip | l r | passed                | shape=bare
    outside > cip | l r | l r by node           | shape=bare
Cilium external-ips
    outside > eip | l r | l r by node           | shape=eip-alone
""")

ENDPOINTS = table("""
TestUpdateEndpointsMap, IPVS's too: unchanged
    pod > cip    | l     | l by client             | shape=unnamed
  endpoints added
    pod > cip    | l r s | l r s by client         |
  removed
    pod > cip    | l     | l by client             |
  IP and port added
    pod > cip    | l r   | l r by client           | shape=two-targets
    pod > cip:81 | l r   | l:9090 r:9090 by client | shape=two-targets
  IP and port removed
    pod > cip    | l     | l by client             |
    pod > cip:81 | l     | refused                 | +unserved-port-rejected
  slice added
    pod > cip    | l r   | l r by client           | shape=apiece
  slice removed
    pod > cip    | l     | l by client             | shape=apiece
  port renamed, in the Service alone
    pod > cip    | l     | refused                 | shape=renamed
  renumbered
    pod > cip    | l     | l:9090 by client        | shape=remapped
  many changes at once
    pod > cip    | m s   | m:9090 s:9090 by client | shape=remapped
  from none to one
    pod > cip    | l     | l by client             |
e2e service, pods join and leave
    pod > cip    | l     | l by client             |
    pod > cip    | l r   | l r by client           |
    pod > cip    | r     | r by client             |
    pod > cip    |       | refused                 |
e2e networking, update endpoints
    pod > cip    | l     | l by client             | udp shape=udp
e2e conntrack, target port changes
    outside > np | l     | l:9090 by node          | shape=remapped
e2e conntrack, an unready one gets ready
    pod > cip    | l     | l by client             | udp shape=udp
Antrea TestProxyEndpointLifeCycle
    pod > cip    | l     | l by client             |
    pod > cip    |       | refused                 |
Calico fv, backend replaced
    pod > cip    | r     | r by client             |
""")

SERVICES = table("""
e2e service, up and down
    pod > cip          | l r | dropped/passed          | shape=orphans
    pod > other:8000   | l r | y by client             | shape=orphans
e2e networking, NodePort Service deleted
    outside > np       | l r | refused                 | shape=orphans
  in UDP
    outside > np       | l r | refused                 | shape=orphans udp
Antrea TestProxyServiceLifeCycle
    pod > cip          | l r | l r by client           |
    outside > lb       | l r | l r by node             |
    outside > lb2      | l r | l r by node             |
  deleted
    pod > cip          | l r | dropped/passed          | shape=orphans
    outside > lb       | l r | passed                  | shape=orphans
    outside > lb2      | l r | passed                  | shape=orphans
TestBuildServiceMapAddRemove, IPVS's too
    pod > cip          | l r | dropped                 | shape=orphans +unallocated-ip-dropped
    outside > lb       | l r | passed                  | shape=orphans
IPVS TestMultiPortServiceBindAddr
    pod > cip:81       | l r | l:9090 r:9090 by client | shape=two-targets
    pod > cip:81       | l r | refused                 | +unserved-port-rejected
e2e service, port of a live Service added
    pod > cip:81       | l r | l:9090 r:9090 by client | shape=two-targets
  and deleted
    pod > cip:81       | l r | passed                  | +unserved-port-passed
  one of two protocols on one number
    pod > cip          | l r | refused                 | udp +unserved-port-rejected
    pod > cip          | l r | l r by client           |
Calico syncer, port changed
    pod > cip:81       | l r | l r by client           | shape=renumbered
    pod > cip          | l r | refused/passed          | shape=renumbered
  nodePort changed
    outside > np:30090 | l r | l r by node             | shape=renumbered
    outside > np       | l r | refused                 | shape=renumbered
Calico fv, Service removed
    pod > cip          | l r | dropped/passed          | shape=orphans udp
Cilium reuse, cluster IP of another Service
    pod > cip          | l r | l r by client           |
IPVS TestSessionAffinity
    pod > cip          | l r | r by client             | sticky was=r/1
""")
