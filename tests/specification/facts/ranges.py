"""loadBalancerSourceRanges: what they bind, and what they leave alone."""

from tests.specification.table import table

KUBE_PROXY = table("""
TestLoadBalancer, pod by the cluster IP
    pod > cip        | l r | l r by client | ranges=outside
  outside by the nodePort
    outside > np     | l r | l r by node   | ranges=outside
    other-node > np  | l r | l r by node   | ranges=outside
  within
    outside > lb     | l r | l r by node   | ranges=outside
    outside > lb2    | l r | l r by node   | ranges=outside
  not within
    other-node > lb  | l r | dropped       | ranges=outside
    other-node > lb2 | l r | dropped       | ranges=outside
  a pod, not within
    pod > lb         | l r | dropped       | ranges=outside
    pod > lb2        | l r | dropped       | ranges=outside
  the node, within
    node > lb        | l r | l r by node   | ranges=outside+node
    node > lb2       | l r | l r by node   | ranges=outside+node
  the node by the balancer's IP
    node@lb > lb     | l r | l r by node   | ranges=outside+node
    node@lb2 > lb2   | l r | l r by node   | ranges=outside+node
TestServiceToServiceMap, both families
    outside > lb     | l r | l r by node   | ranges=outside+nobody4
    outside > lb     | l r | dropped       | ranges=nobody+outside6 v4
    outside > lb     | l r | l r by node   | ranges=nobody+outside6 v6
IPVS TestLoadBalancerSourceRanges
    outside > lb     | l r | l r by node   | ranges=outside
    pod > lb         | l r | dropped       | ranges=outside
""")

PEERS = table("""
e2e loadbalancer, allowed
    pod > lb        | l r | l r by node | ranges=pods
  denied
    pod > lb        | l r | dropped     | ranges=outside
  cleared
    pod > lb        | l r | l r by node
Calico fv, a pod within
    pod > lb        | l r | l r by node | ranges=pods
  outside, not within
    outside > lb    | l r | dropped     | ranges=pods
  outside, within
    outside > lb    | l r | l r by node | ranges=outside
Calico lb_src_range_test
    outside > lb    | l r | l r by node | ranges=nobody+outside
  one taken out
    outside > lb    | l r | dropped     | ranges=nobody
  all
    outside > lb    | l r | l r by node
  0.0.0.0/0
    outside > lb    | l r | l r by node | ranges=all
Cilium source-ranges-dfl
    outside > lb    | l r | l r by node | ranges=outside
    other-node > lb | l r | dropped     | ranges=outside
  cluster IP
    outside > cip   | l r | l r by node | ranges=nobody
Cilium external-ips
    outside > eip   | l r | dropped     | ranges=nobody | holds them at externalIPs, too
Cilium source-ranges-all
    outside > np    | l r | dropped     | ranges=nobody | holds them everywhere
""")

BEYOND = table("""
API, core/v1: balancers alone
    outside > eip   | l r | l r by node   | ranges=nobody
    outside > np    | l r | l r by node   | ranges=nobody
    outside > cip   | l r | l r by node   | ranges=nobody
    pod > np        | l r | l r by node   | ranges=nobody
/0 lets all in
    pod > lb        | l r | l r by node   | ranges=nobody+all
    outside > lb    | l r | l r by node   | ranges=all4 v4
of the other family alone
    outside > lb    | l r | open          | ranges=nobody4 v6
    outside > lb    | l r | open          | ranges=all6 v4
    outside > lb    |     | open          | ranges=all6 v4
  other frontends are not concerned
    outside > eip   | l r | l r by node   | ranges=nobody4 v6
    outside > cip   | l r | l r by node   | ranges=nobody4 v6
the node, not within
    node > lb       | l r | dropped       | ranges=outside
  by the balancer's IP
    node@lb > lb    | l r | dropped       | ranges=outside
  by another balancer's IP
    node@lb2 > lb   | l r | dropped       | ranges=outside+node
  its second address within
    node@lb > lb    | l r | dropped       | ranges=outside+second
  by its second address
    node@np2 > lb   | l r | l r by node   | ranges=second
the balancer's IP from elsewhere
    outside@lb > lb | l r | dropped       | ranges=outside+node
with eTP Local
    outside > lb    | l r | l by client   | ranges=outside etp=Local
    outside > lb    | l r | dropped       | ranges=nobody etp=Local
    pod > lb        | l r | l r by client | ranges=pods etp=Local
UDP
    outside > lb    | l r | dropped       | ranges=nobody udp shape=udp
    outside > lb    | l r | l r by node   | ranges=outside udp shape=udp
SCTP
    outside > lb    | l r | dropped       | ranges=nobody sctp shape=sctp
blanks, and bits of the host
    outside > lb    | l r | l r by node   | shape=sloppy-ranges
    pod > lb        | l r | dropped       | shape=sloppy-ranges
ipMode Proxy
    outside > lb    | l r | passed        | ranges=nobody shape=ip-mode-proxy
""")
