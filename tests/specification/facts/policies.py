"""Traffic policies: whom they keep to the node's own endpoints, and whom they leave alone.

V01 to V24 are the vectors of kube-proxy's TestInternalExternalMasquerade with a detector of pods,
common to its iptables and nftables modes; each with every frontend that it speaks of.
"""

from tests.specification.table import table

MATRIX = table("""
V01
    pod > cip     | l r | l r by client
V02
    pod > np      | l r | l r by node
V03
    pod > lb      | l r | l r by node
    pod > eip     | l r | l r by node
V04
    node > cip    | l r | l r by node
V05
    node > np     | l r | l r by node
V06
    node > lb     | l r | l r by node
    node > eip    | l r | l r by node
V07
    outside > cip | l r | l r by node
V08
    outside > np  | l r | l r by node
V09
    outside > lb  | l r | l r by node
    outside > eip | l r | l r by node
V10
    pod > cip     | l r | l r by client | etp=Local
V11
    pod > np      | l r | l r by client | etp=Local
V12
    pod > lb      | l r | l r by client | etp=Local
    pod > eip     | l r | l r by client | etp=Local
V13
    node > cip    | l r | l r by node   | etp=Local
V14
    node > np     | l r | l r by node   | etp=Local
V15
    node > lb     | l r | l r by node   | etp=Local
    node > eip    | l r | l r by node   | etp=Local
V16
    outside > cip | l r | l r by node   | etp=Local
V17
    outside > np  | l r | l by client   | etp=Local
V18
    outside > lb  | l r | l by client   | etp=Local
    outside > eip | l r | l by client   | etp=Local
V19
    pod > cip     | l r | l by client   | itp=Local
V20
    pod > np      | l r | l r by node   | itp=Local
    pod > lb      | l r | l r by node   | itp=Local
    pod > eip     | l r | l r by node   | itp=Local
V21
    node > cip    | l r | l by node     | itp=Local
V22
    node > np     | l r | l r by node   | itp=Local
    node > lb     | l r | l r by node   | itp=Local
    node > eip    | l r | l r by node   | itp=Local
V23
    outside > cip | l r | l by node     | itp=Local
V24
    outside > np  | l r | l r by node   | itp=Local
    outside > lb  | l r | l r by node   | itp=Local
    outside > eip | l r | l r by node   | itp=Local
""")
"""Endpoint choice and source address by policies, one ready endpoint here and one elsewhere."""

IPVS = table("""
V11, IPVS
    pod > np     | l r         | l by client | etp=Local | its servers are the local ones
V12, IPVS
    pod > lb     | l r         | l by client | etp=Local | the same, against the API's text
V14, IPVS
    node > np    | l r         | l by client | etp=Local | the same
V15, IPVS
    node > lb    | l r         | l by client | etp=Local | the same
IPVS
    pod > cip    | r           | r by client | itp=Local | falls back to the cluster
    outside > np | r           | r by client | etp=Local | sends it on, and the client waits in vain
    pod > cip    | l:unready r | r by client | itp=Local | forgets the policy
    outside > lb | l:gone r    | r by client | etp=Local | forgets the policy
""")
"""Where kube-proxy's IPVS mode does other than the documents say."""

KUBE_PROXY = table("""
TestExternalTrafficPolicyLocal
    pod > cip     | l r   | l r by client   | etp=Local
    pod > eip     | l r   | l r by client   | etp=Local
    outside > eip | l r   | l by client     | etp=Local
    pod > lb      | l r   | l r by client   | etp=Local
    outside > lb  | l r   | l by client     | etp=Local
    pod > np      | l r   | l r by client   | etp=Local
    outside > np  | l r   | l by client     | etp=Local
TestExternalTrafficPolicyCluster
    pod > cip     | l r   | l r by client
    pod > eip     | l r   | l r by node
    outside > eip | l r   | l r by node
    pod > lb      | l r   | l r by node
    outside > lb  | l r   | l r by node
    pod > np      | l r   | l r by node
    outside > np  | l r   | l r by node
TestInternalTrafficPolicy
    pod > cip     | l m r | l m r by client
  one here
    pod > cip     | l r s | l by client     | itp=Local
  several here
    pod > cip     | l m r | l m by client   | itp=Local
  none here
    pod > cip     | r s   | dropped         | itp=Local
  all deleted
    pod > cip     |       | refused         | itp=Local
TestCategorizeEndpoints, iTP Local, none at all
    pod > cip     |       | refused         | itp=Local
  all elsewhere
    pod > cip     | r s   | dropped         | itp=Local
  all here
    pod > cip     | l m   | l m by client   | itp=Local
  some here
    pod > cip     | l r   | l by client     | itp=Local
  iTP Local, eTP Cluster
    pod > cip     | l m r | l m by client   | itp=Local
    outside > np  | l m r | l m r by node   | itp=Local
  iTP Cluster, eTP Local
    pod > cip     | l m r | l m r by client | etp=Local
    outside > np  | l m r | l m by client   | etp=Local
  both, some here
    pod > cip     | l r   | l by client     | itp=Local etp=Local
    outside > np  | l r   | l by client     | itp=Local etp=Local
    pod > np      | l r   | l r by client   | itp=Local etp=Local
  both, all elsewhere
    pod > cip     | r s   | dropped         | itp=Local etp=Local
    outside > np  | r s   | dropped         | itp=Local etp=Local
  eTP Local, nothing external
    pod > cip     | l r   | l r by client   | etp=Local type=ClusterIP
  iTP Local, nothing external
    pod > cip     | l r   | l by client     | itp=Local type=ClusterIP
  empty list
    pod > cip     |       | refused
IPVS TestOnlyLocalExternalIPs
    outside > eip | l r   | l by client     | etp=Local
IPVS TestOnlyLocalNodePorts
    outside > np  | l r   | l by client     | etp=Local
IPVS TestNodePortIPv4, SCTP
    outside > np  | l r   | l by client     | etp=Local sctp shape=sctp
IPVS TestOnlyLocalLoadBalancing
    outside > lb  | l r   | l by client     | etp=Local
IPVS InternalTrafficPolicyE2E
    pod > cip     | l r   | l r by client
    pod > cip     | r s   | r s by client
    pod > cip     | l r   | l by client     | itp=Local
    pod > cip     | r s   | dropped         | itp=Local
""")

END_TO_END = table("""
e2e service, iTP Local, pod to pod
    pod > cip       | l r   | l by client   | itp=Local
  nothing on the other node
    pod > cip       | r     | dropped       | itp=Local
  client in the host's network
    node > cip      | l r   | l by node     | itp=Local
  nothing there
    node > cip      | r     | dropped       | itp=Local
  the endpoint is the node itself
    pod > cip       | h r   | h by client   | itp=Local
  both are
    node > cip      | h r   | h by node     | itp=Local
e2e service, eTP Local on NodePort
    other-node > np | l r   | l by client   | etp=Local
e2e service, eTP changes
    other-node > np | r     | dropped       | etp=Local
    other-node > np | r     | r by node
    node > np       | r     | r by node     | etp=Local
e2e loadbalancer, eTP Local, source
    outside > lb    | l     | l by client   | etp=Local
  from pods of a node without any
    pod > lb        | r     | r by client   | etp=Local
e2e conntrack, iTP Local
    pod > cip       | l r   | l by client   | itp=Local udp shape=udp
Cilium testExternalTrafficPolicyLocal
    outside > np    | l r   | l by client   | etp=Local
    outside > np    | l r   | l by client   | etp=Local udp shape=udp
    outside > np    | r     | dropped       | etp=Local
    node > np       | r     | r by node     | etp=Local
    other-node > np | l r   | l by client   | etp=Local
    node > lb       | r     | r by node     | etp=Local
    node > eip      | r     | r by node     | etp=Local
Cilium tc_lb_no_backend_nonroutable
    outside > lb    | r     | dropped       | etp=Local
Cilium trafficpolicy
    pod > cip       | l r   | l by client   | itp=Local etp=Local
    outside > lb    | l r   | l by client   | itp=Local etp=Local
  changed, one each
    pod > cip       | l r   | l r by client | etp=Local
    outside > lb    | l r   | l r by node   | itp=Local
Antrea TestProxyLoadBalancerService
    node > lb       | l r   | l r by node
    pod > lb        | l r   | l r by node
    node > lb       | l r   | l r by node   | etp=Local
    pod > lb        | l r   | l r by client | etp=Local
  endpoints are nodes
    node > lb       | h n   | h n by node
    pod > lb        | h n   | h n by node
    node > lb       | h n   | h n by node   | etp=Local
    pod > lb        | h n   | h n by client | etp=Local
Antrea TestProxyNodePortService
    outside > np    | l r   | l r by node
    node > np       | l r   | l r by node
    pod > np        | l r   | l r by node
    outside > np    | l r   | l by client   | etp=Local
    node > np       | l r   | l r by node   | etp=Local
    pod > np        | l r   | l r by client | etp=Local
  endpoints are nodes
    outside > np    | h n   | h n by node
    node > np       | h n   | h n by node
    pod > np        | h n   | h n by node
    outside > np    | h n   | h by client   | etp=Local
    node > np       | h n   | h n by node   | etp=Local
    pod > np        | h n   | h n by client | etp=Local
Antrea TestProxyExternalTrafficPolicy
    outside > np    | l     | l by node
  from then on
    outside > np    | l     | l by client   | etp=Local
Antrea TestServiceExternalIP
    outside > lb    | l r   | l r by node
    outside > lb    | l r   | l by client   | etp=Local
Calico bpf/proxy, which are local
    outside > np    | l m r | l m by client | etp=Local
Calico fv, cluster IP from its host
    node > cip      | l r   | l r by node
Calico fv, eTP Local, pod
    pod > np        | r     | dropped       | etp=Local | no short cut for pods
service-validator, eTP Local
    outside > np    | l r   | l by client   | etp=Local
  node without
    outside > np    | r     | dropped       | etp=Local
""")

BEYOND = table("""
API, core/v1 externalTrafficPolicy
    pod > lb        | r   | r by client   | etp=Local
by nodeName alone
    pod > cip       | l r | dropped       | itp=Local shape=all-there
    pod > cip       | r s | r s by client | itp=Local shape=all-here
    outside > np    | o r | o r by client | etp=Local shape=all-here
no nodeName is on no node
    pod > cip       | l   | dropped       | itp=Local shape=no-node-name
    pod > cip       | o l | l by client   | itp=Local
externalIPs of a ClusterIP Service
    outside > eip   | l r | l by client   | etp=Local shape=eip-alone
  and its cluster IP
    pod > cip       | l r | l r by client | etp=Local shape=eip-alone
another node's pod is inside
    remote-pod > np | l r | l r by client | etp=Local | the answer from r misses the node
    remote-pod > np | l   | l by client   | etp=Local
    remote-pod > np | r   | r by node     | etp=Local
  by pods of this node alone it is not
    remote-pod > np | l r | l by client   | etp=Local detect=here
another node is not
    other-node > lb | l r | l by client   | etp=Local
by the node's second address
    node@np2 > lb   | r   | r by node     | etp=Local
""")
