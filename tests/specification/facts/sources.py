"""Whose address an endpoint sees, by detector, flags and hairpins; and who may send at all.

V25 to V30 go on with the vectors of kube-proxy's TestInternalExternalMasquerade.
"""

from tests.specification.table import table

DETECTORS = table("""
V25, no detector
    node > cip                 | l r | l r by node   | detect=
  eTP Local
    node > cip                 | l r | l r by node   | detect= etp=Local
  iTP Local
    node > cip                 | l r | l by node     | detect= itp=Local
    outside > cip              | l r | l r by client | detect=
  eTP Local
    outside > cip              | l r | l r by client | detect= etp=Local
  iTP Local
    outside > cip              | l r | l by client   | detect= itp=Local
V26, pods are strangers
    pod > np                   | l r | l by client   | detect= etp=Local
    pod > lb                   | l r | l by client   | detect= etp=Local
    pod > eip                  | l r | l by client   | detect= etp=Local
  the node is not
    node > np                  | l r | l r by node   | detect= etp=Local
  and under Cluster
    pod > cip                  | l r | l r by client | detect=
    pod > np                   | l r | l r by node   | detect=
V27, masqueradeAll
    pod > cip                  | l r | l r by node   | masquerade-all
    pod > cip                  | l r | l r by node   | masquerade-all etp=Local
    pod > cip                  | l r | l by node     | masquerade-all itp=Local
  cluster IPs alone
    pod > np                   | l r | l r by client | masquerade-all etp=Local
    outside > lb               | l r | l by client   | masquerade-all etp=Local
V28, masqueradeAll, no detector
    pod > cip                  | l r | l r by node   | masquerade-all detect=
    pod > cip                  | l r | l r by node   | masquerade-all detect= etp=Local
    pod > cip                  | l r | l by node     | masquerade-all detect= itp=Local
    outside > cip              | l r | l r by node   | masquerade-all detect=
    node > cip                 | l r | l r by node   | masquerade-all detect=
    pod > np                   | l r | l by client   | masquerade-all detect= etp=Local
    pod > lb                   | l r | l by client   | masquerade-all detect= etp=Local
pods of this node alone are known
    pod > cip                  | l r | l r by client | detect=here
    remote-pod > cip           | l r | l r by node   | detect=here
    pod > lb                   | l r | l r by client | detect=here etp=Local
all pods are
    remote-pod > cip           | l r | l r by client
each family by itself
    outside > cip              | l r | l r by node   | detect=pods4 v4
    outside > cip              | l r | l r by client | detect=pods4 v6
    pod > lb                   | l r | l by client   | detect=pods4 v6 etp=Local
pods are told by the link that they come over
    pod > cip                  | l r | l r by client | detect=link
    pod > lb                   | l r | l r by client | detect=link etp=Local
    remote-pod > cip           | l r | l r by node   | detect=link
    remote-pod > lb            | l r | l by client   | detect=link etp=Local
    outside > cip              | l r | l r by node   | detect=link
    node > cip                 | l r | l r by node   | detect=link
strangers need no masquerade
    outside > cip              | l r | l r by either | -cluster-ip-masquerade
    node > cip                 | l r | l r by node   | -cluster-ip-masquerade
    pod > cip                  | l r | l r by client | -cluster-ip-masquerade
    other-node > cip           | l r | l r by node
pods of the node need none by external frontends
    pod > np                   | l r | l r by either | -external-masquerade-of-pods
    pod > lb                   | l r | l r by either | -external-masquerade-of-pods
    pod > lb                   | l r | l r by client | -external-masquerade-of-pods etp=Local
    remote-pod > np            | l r | l r by node   | -external-masquerade-of-pods
    outside > np               | l r | l r by node   | -external-masquerade-of-pods
strangers need not be served
    outside > cip              | l r | open          | -external-clients
    other-node > cip           | l r | open          | -external-clients
    remote-pod > cip           | l r | open          | -external-clients
    pod > cip                  | l r | l r by client | -external-clients
    node > cip                 | l r | l r by node   | -external-clients
    outside > np               | l r | l r by node   | -external-clients
V30, localhost
    node@localhost > localhost | l r | l r by node   | localhost v4
    node@localhost > localhost | l r | l r by node   | localhost v4 etp=Local
    node@localhost > localhost | l r | l r by node   | localhost v4 itp=Local
""")

HAIRPINS = table("""
V29, itself
    l > cip    | l   | l by node
    l > np     | l   | l by node
    l > lb     | l   | l by node
    l > eip    | l   | l by node
  whatever the policies
    l > cip    | l r | l by node | itp=Local
    l > np     | l   | l by node | etp=Local
    l > lb     | l   | l by node | etp=Local
  whatever the detector
    l > cip    | l   | l by node | detect=
    l > np     | l r | l by node | detect= etp=Local
  however it comes
    l > cip    | l   | l by node | udp shape=udp
    l > cip    | l   | l by node | sctp shape=sctp
TestClusterIPGeneral
    l > cip    | l   | l by node
e2e service, itself
    l > cip    | l   | l by node
e2e networking, endpoint-Service
    l > cip    | l   | l by node | udp shape=udp
    l > cip    | l   | l by node | sctp shape=sctp
Cilium, itself
    l > cip    | l   | l by node
    l > cip    | l   | l by node | udp shape=udp
Cilium hairpin_sctp_flow
    l > cip    | l   | l by node | sctp shape=sctp
Cilium tc_nodeport_test
    l > cip    | l   | l by node
Cilium tc_lxc_lb_nodeport
    l > far-np | l   | passed
Antrea TestProxyHairpin
    l > cip    | l   | l by node
    l > np     | l   | l by node
    l > lb     | l   | l by node
    l > np     | l   | l by node | etp=Local
    l > lb     | l   | l by node | etp=Local
  a node's own endpoint
    node > cip | h   | h by node
    node > np  | h   | h by node
    node > lb  | h   | h by node
    node > np  | h   | h by node | etp=Local
    node > lb  | h   | h by node | etp=Local
  a node to another's
    node > cip | r   | r by node
    node > np  | r   | r by node
    node > lb  | r   | r by node
    node > cip | n   | n by node
    node > np  | n   | n by node
    node > lb  | n   | n by node
Calico fv, itself by a nodePort
    l > np     | l   | l by node
  by another node's
    l > far-np | l   | passed
service-validator, hairpin
    l > cip    | l   | l by node
another node to itself
    n > lb     | n   | n by node
""")

END_TO_END = table("""
e2e service, a pod's address
    pod > cip     | r   | r by client
e2e no_snat, pod to pod
    pod > r:8080  | r   | passed
    pod > l:8080  | l   | passed
e2e networking, endpoints are nodes
    pod > cip     | h n | h n by client
    node > cip    | h n | h n by node
    pod > cip     | h n | h n by client | udp shape=udp
    outside > np  | h n | h n by node
    outside > np  | h n | h n by node   | udp shape=udp
e2e dual_stack, endpoints are nodes
    pod > cip     | h n | h n by client
Antrea, endpoints are nodes
    pod > cip     | h n | h n by client
    node > cip    | h n | h n by node
Cilium tc_lb_clusterip
    outside > cip | l r | l r by node
Cilium tc_nodeport, remote
    outside > np  | r   | r by node
Calico nat_test, remote
    outside > np  | r   | r by node
  from pod to pod
    pod > cip     | r   | r by client
Calico snat_test
    node > cip    | r   | r by node
Calico fv, hosts
    node > cip    | l r | l r by node
    node > eip    | l r | l r by node
  and hosts as endpoints
    node > cip    | h n | h n by node
service-validator, endpoints are nodes
    pod > cip     | h n | h n by client
endpoints that are no pods
    pod > cip     | o   | o by client
""")
