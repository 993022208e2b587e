"""Who is refused, dropped or let pass, where no endpoint may get a connection."""

from tests.specification.table import table

KUBE_PROXY = table("""
TestNoEndpointsReject
    pod > cip     |                     | refused
    outside > eip |                     | refused
    pod > np      |                     | refused
    outside > np  |                     | refused
    pod > lb      |                     | refused
    outside > lb  |                     | refused
IPVS TestExternalIPsNoEndpoint
    outside > eip |                     | refused
IPVS TestNodePortIPv4, TestNodePortIPv6
    outside > np  |                     | refused
IPVS TestIPv4Proxier, TestIPv6Proxier
    pod > cip     |                     | refused
TestUpdateEndpointsMap, empty
    pod > cip     |                     | refused | shape=no-slice
TestEndpointsMapFromESC, all unready
    pod > cip     | l:unready m:unready | refused
TestCategorizeEndpoints, empty list
    outside > lb  |                     | refused | shape=no-slice
""")

DOCUMENTS = table("""
none anywhere: refused
    pod > cip     |                     | refused
    node > cip    |                     | refused
    outside > cip |                     | refused
    outside > np  |                     | refused
    pod > np      |                     | refused
    node > np     |                     | refused
    outside > lb  |                     | refused
    pod > lb      |                     | refused
    outside > eip |                     | refused
    pod > eip     |                     | refused
    node > lb     |                     | refused
    node > eip    |                     | refused
  whatever the policy
    pod > cip     |                     | refused         | itp=Local
    outside > np  |                     | refused         | etp=Local
    outside > lb  |                     | refused         | etp=Local
    pod > lb      |                     | refused         | etp=Local itp=Local
  in iptables mode
    node > lb     |                     | passed          |  | leaves the node: no rule in OUTPUT
    node > eip    |                     | passed          |  | leaves the node: no rule in OUTPUT
only elsewhere: dropped
    pod > cip     | r                   | dropped         | itp=Local
    node > cip    | r                   | dropped         | itp=Local
    outside > np  | r                   | dropped         | etp=Local
    outside > lb  | r                   | dropped         | etp=Local
    outside > eip | r                   | dropped         | etp=Local
    outside > lb  | r:draining          | dropped         | etp=Local
  in IPVS mode
    pod > cip     | r                   | refused         | itp=Local type=ClusterIP | refuses
  who does not claim to drop
    pod > cip     | r                   | dropped/refused | itp=Local lean
    outside > lb  | r                   | dropped/refused | etp=Local lean
terminating, not serving: refused
    pod > cip     | l:gone r:gone       | refused
    outside > np  | l:gone r:gone       | refused
unready: refused
    pod > cip     | l:unready           | refused
    outside > lb  | l:unready           | refused
    outside > eip | l:unready r:serving | refused         | etp=Local
blocked by source ranges: dropped
    outside > lb  | l r                 | dropped         | ranges=nobody
  and none anywhere
    outside > lb  |                     | dropped/refused | ranges=nobody
    outside > lb  | l:gone              | dropped/refused | ranges=nobody
  and none here
    outside > lb  | r                   | dropped         | ranges=nobody etp=Local
UDP, the same
    pod > cip     |                     | refused         | udp shape=udp
    outside > np  |                     | refused         | udp shape=udp
SCTP, the same
    pod > cip     |                     | refused         | sctp shape=sctp
""")

UNSERVED = table("""
unserved port of a cluster IP
    pod > cip:81        | l r | refused/passed
    outside > cip:81    | l r | refused/passed
    node > cip:81       | l r | refused/passed
  left to routing
    pod > cip:81        | l r | passed         | +unserved-port-passed
  refused
    pod > cip:81        | l r | refused        | +unserved-port-rejected
  its nodePort's number
    pod > cip:30080     | l r | refused/passed
  its target port
    pod > cip:8080      | l r | refused        | +unserved-port-rejected
  another protocol
    pod > cip           | l r | refused        | +unserved-port-rejected udp
  another Service's port
    pod > cip:8000      | l r | refused        | +unserved-port-rejected
    pod > other         | l r | refused        | +unserved-port-rejected
  without endpoints
    pod > cip:81        |     | passed         | +unserved-port-passed
unserved port of a balancer's IP
    outside > lb:81     | l r | refused/passed
    pod > lb:81         | l r | refused/passed | +unserved-port-rejected
    outside > lb2:30080 | l r | passed         | +unserved-port-passed
  another protocol
    outside > lb        | l r | refused/passed | udp
  outside of the source ranges
    outside > lb:81     | l r | refused/passed | ranges=nobody
unserved port of an external IP
    outside > eip:81    | l r | refused/passed
    node > eip:30080    | l r | refused/passed | +unserved-port-rejected
unallocated cluster IP
    pod > free          | l r | dropped/passed
  dropped
    pod > free          | l r | dropped        | +unallocated-ip-dropped
    outside > free      | l r | dropped        | +unallocated-ip-dropped
TestClusterIPGeneral, UDP to a TCP port
    pod > cip           | l   | refused        | udp +unserved-port-rejected
  another Service's port
    pod > cip:8000      | l   | refused        | +unserved-port-rejected
  unallocated
    pod > free          | l   | dropped        | +unallocated-ip-dropped
Calico loop prevention, dropped
    pod > free          |     | dropped/passed
  or rejected
    pod > free          |     | refused        |  | kube-proxy drops it or lets it pass
Cilium lb_tests, other protocol
    pod > cip           | l   | refused/passed | udp
Cilium, wildcard
    outside > lb:81     | l   | dropped        |  | drops what no Service has
    outside > lb        | l   | dropped        | udp | drops what no Service has
TestServiceToServiceMap, nothing
    pod > eip2:80       |     | passed
""")

PEERS = table("""
e2e service, no endpoints
    pod > cip    |           | refused
e2e service, evicted pods
    pod > cip    | l:unready | refused
e2e loadbalancer, scaled to none
    outside > lb |           | refused
    outside > lb |           | refused | udp shape=udp
Cilium tc_lxc_lb_no_backend
    pod > cip    |           | refused
Cilium tc_nodeport_lb_no_backend
    outside > np |           | refused
Cilium tc_lb_no_backend_nonroutable
    outside > lb |           | refused
Antrea, cluster IP without
    node > cip   |           | refused
    pod > cip    |           | refused
Calico icmp_port_unreachable_test
    outside > np |           | refused
Calico fv, no backend
    pod > cip    |           | refused
    pod > cip    |           | refused | udp shape=udp
    outside > lb |           | refused
service-validator, none
    pod > cip    |           | refused
""")
