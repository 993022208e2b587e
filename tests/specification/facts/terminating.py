"""Conditions of endpoints: ready, serving, terminating, and what is unknown of them."""

from tests.specification.table import table

KUBE_PROXY = table("""
TestTerminatingEndpointsTrafficPolicyLocal, some ready
    pod > cip    | l m:draining r s:gone        | l r by client | etp=Local
    outside > lb | l m:draining r               | l by client   | etp=Local
  terminating ones alone
    pod > cip    | l:draining m:gone r:draining | l r by client | etp=Local
    outside > lb | l:draining m:gone r:draining | l by client   | etp=Local
  on another node alone
    pod > cip    | r:draining s:gone            | r by client   | etp=Local
    outside > lb | r:draining s:gone            | dropped       | etp=Local
  none serves
    pod > cip    | l:gone r:gone                | refused       | etp=Local
    outside > lb | l:gone r:gone                | refused       | etp=Local
  deleted
    pod > cip    |                              | refused       | etp=Local
    outside > lb |                              | refused       | etp=Local
TestTerminatingEndpointsTrafficPolicyCluster, some ready
    pod > cip    | l m:draining r s:gone        | l r by client
    outside > lb | l m:draining r               | l r by node
  terminating ones alone
    pod > cip    | l:draining m:gone r:draining | l r by client
    outside > lb | l:draining m:gone r:draining | l r by node
  on another node alone
    pod > cip    | r:draining s:gone            | r by client
    outside > lb | r:draining s:gone            | r by node
  none serves
    pod > cip    | l:gone r:gone                | refused
    outside > lb | l:gone r:gone                | refused
  deleted
    pod > cip    |                              | refused
    outside > lb |                              | refused
TestCategorizeEndpoints, none ready
    pod > cip    | l:unready r:unready          | refused
  some ready
    pod > cip    | l:unready r                  | r by client
  all terminating
    pod > cip    | l:draining r:draining        | l r by client
  both Local, elsewhere, terminating
    pod > cip    | r:draining                   | dropped       | itp=Local etp=Local
    outside > lb | r:draining                   | dropped       | itp=Local etp=Local
  each view falls back by itself
    pod > cip    | l:draining r                 | r by client   | etp=Local
    outside > lb | l:draining r                 | l by client   | etp=Local
  neither ready nor terminating
    pod > cip    | l:unready                    | refused
  the same, but serving
    pod > cip    | l:serving                    | refused
IPVS ReadyAndTerminatingCluster
    pod > cip    | l m:draining r s:draining    | l r by client
IPVS ReadyAndTerminatingLocal
    pod > cip    | l m:draining r               | l by client   | itp=Local
IPVS OnlyReadyAndTerminatingCluster
    pod > cip    | l:draining r:draining        | l r by client
IPVS OnlyReadyAndTerminatingLocal
    outside > lb | l:draining r                 | l by client   | etp=Local
TestUpdateEndpointsMap, ready, then terminating
    pod > cip    | l:draining                   | l by client
  and gone
    pod > cip    |                              | refused
""")

PEERS = table("""
e2e service, published while unready
    pod > cip    | l:published r:unready | l by client
  withdrawn
    pod > cip    | l:unready             | refused
e2e service, publishNotReadyAddresses
    pod > cip    | l:published           | l by client
    pod > np     | l:published           | l by node
  without it
    pod > cip    | l:gone                | refused
    pod > np     | l:gone                | refused
e2e service, evicted pods
    pod > cip    | l:unready m:unready   | refused
e2e service, health check 503, served yet
    outside > np | l:draining            | l by client   | etp=Local
e2e service, fallback, iTP Cluster
    pod > cip    | l:draining r:draining | l r by client
    node > cip   | l:draining r:draining | l r by node
  iTP Local
    pod > cip    | l:draining r          | l by client   | itp=Local
    node > cip   | l:draining r          | l by node     | itp=Local
    pod > cip    | r:draining            | dropped       | itp=Local
  eTP Cluster
    outside > np | l:draining r:draining | l r by node
  eTP Local
    outside > np | l:draining r          | l by client   | etp=Local
    outside > np | r:draining            | dropped       | etp=Local
Cilium tc_nodeport_lb_terminating_backend
    outside > np | r:draining            | r by node
Cilium graceful-termination
    pod > cip    | l:draining r          | r by client
    pod > cip    | l:draining r:draining | l r by client
    pod > cip    | l r                   | l r by client
Calico bpf/proxy, terminating
    outside > np | l:draining m          | m by client   | etp=Local
Calico fv, terminating workload
    pod > cip    | l:draining r          | r by client
Calico syncer, revived
    pod > cip    | l:silent r:draining   | l by client
service-validator, unready init
    pod > cip    | l:unready             | refused       | udp shape=udp
""")

UNKNOWN = table("""
API, discovery/v1, ready unknown
    pod > cip    | l:silent                     | l by client
  serving unknown
    pod > cip    | l:draining-silently          | l by client
  terminating unknown
    pod > cip    | l:unready-silently           | refused
    pod > cip    | l:serving r:unready-silently | refused
ready wins, whatever else
    pod > cip    | l:published r:draining       | l by client
KEP-1669, one here is no use
    pod > cip    | l:gone r                     | dropped     | itp=Local
    pod > cip    | l:serving r                  | dropped     | itp=Local
    outside > np | l:gone r:draining            | dropped     | etp=Local
    outside > lb | l:unready r                  | dropped     | etp=Local
  nor anywhere
    outside > np | l:gone r:unready             | refused     | etp=Local
    pod > cip    | l:serving r:gone             | refused     | itp=Local
""")
