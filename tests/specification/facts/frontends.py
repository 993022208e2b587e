"""Frontends: what a Service is reached by, and what is nobody's."""

from tests.specification.table import table

IP_MODE = table("""
TestLoadBalancerIngressRouteTypeProxy, Proxy
    pod > lb      | l r | passed        | shape=ip-mode-proxy
    outside > lb  | l r | passed        | shape=ip-mode-proxy
    node > lb     | l r | passed        | shape=ip-mode-proxy
  VIP
    outside > lb  | l r | l r by node   | shape=ip-mode-vip
  unset
    outside > lb  | l r | l r by node
KEP-1860, other frontends
    pod > cip     | l r | l r by client | shape=ip-mode-proxy
    outside > np  | l r | l r by node   | shape=ip-mode-proxy
    outside > eip | l r | l r by node   | shape=ip-mode-proxy
  each by itself
    outside > lb  | l r | passed        | shape=ip-mode-mixed
    outside > lb2 | l r | l r by node   | shape=ip-mode-mixed
a name alone
    outside > lb  | l r | passed        | shape=hostname
    outside > np  | l r | l r by node   | shape=hostname
a name beside IPs
    outside > lb  | l r | l r by node   | shape=hostname-too
IPVS RouteTypeProxy
    outside > lb  | l r | passed        | shape=ip-mode-proxy
    outside > lb  | l r | l r by node   | shape=ip-mode-vip
TestServiceToServiceMap, ipMode
    outside > lb  | l r | passed        | shape=ip-mode-proxy
    outside > lb2 | l r | l r by node   | shape=ip-mode-mixed
""")

ADDRESSES = table("""
every IP of the status
    outside > lb2    | l r | l r by node
of no other type
    outside > lb     | l r | passed         | type=NodePort
    outside > np     | l r | l r by node    | type=NodePort
    outside > lb     | l r | passed         | type=ClusterIP
    outside > np     | l r | refused        | type=ClusterIP
externalIPs, of every type
    pod > eip        | l r | l r by node    | type=ClusterIP
    pod > eip        | l r | l r by node    | type=NodePort
    outside > eip    | l r | l r by node
  spelled otherwise
    outside > eip    | l r | l r by node    | shape=eip-spelled
  gate AllowServiceExternalIPs
    outside > eip    | l r | passed         | no-eip
    outside > lb     | l r | l r by node    | no-eip
no nodePorts allocated
    outside > lb     | l r | l r by node    | shape=no-node-port
    outside > np     | l r | refused        | shape=no-node-port
two share an address by port
    outside > lb     | l r | l r by node    | shape=shared-lb-port
    outside > lb:81  | l r | m by node      | shape=shared-lb-port
    outside > eip    | l r | l r by node    | shape=shared-eip-port
    outside > eip:81 | l r | m by node      | shape=shared-eip-port
  and by protocol
    outside > eip    | l r | l r by node    | shape=shared-eip-udp
    outside > eip    | l r | m by node      | shape=shared-eip-udp udp
two claim the same
    outside > eip    | l r | open           | shape=shared-eip
  one by two fields
    outside > lb     | l r | l r by node    | shape=eip-is-lb
  of which one has ranges
    outside > lb     | l r | open           | shape=eip-is-lb ranges=outside
  one twice
    outside > eip    | l r | l r by node    | shape=eip-twice
  a nodePort of the same number
    outside > np     | l r | open           | shape=np-rival
  the same of another protocol
    outside > np     | l r | l r by node    | shape=np-udp-too
    outside > np     | l r | m by node      | shape=np-udp-too udp
an external IP before a nodePort
    outside > np     | l r | m by node      | shape=eip-is-node
a balancer's IP that is the node's
    outside > np:80  | l r | l r by node    | shape=lb-is-node
    outside > np     | l r | l r by node    | shape=lb-is-node
  its other ports
    outside > np:81  | l r | refused/passed | shape=lb-is-node
Calico syncer, two claim an externalIP
    outside > eip    | l r | l r by node    | shape=shared-eip | says that the first has it
  one lets go
    outside > eip    | l r | l r by node
Antrea, two share a balancer's IP
    outside > lb:81  | l r | m by node      | shape=shared-lb-port
Cilium nodeport-lb-nodeport-range
    outside > np     | l r | l r by node    | shape=lb-is-node
Cilium tc_lb_external_ips_ns
    outside > eip    | l r | l r by node
Cilium tc_lb_external_ips_ew
    pod > eip        | l r | passed         |  | keeps pods from externalIPs, for CVE-2020-8554
""")

NODE_PORTS = table("""
TestNodePorts, cluster IP
    pod > cip                  | l r | l r by client | npa=second
  the primary address
    outside > np               | l r | l r by node
  the node itself
    node > np                  | l r | l r by node
  localhost
    node@localhost > localhost | l r | l r by node   | localhost v4
  switched off
    node@localhost > localhost | l r | refused       | v4
  never in IPv6
    node@localhost > localhost | l r | refused       | localhost v6
  the second address is listed
    outside > np2              | l r | l r by node   | npa=second
    outside > np2              | l r | l r by node   | npa=node+second
    outside > np               | l r | l r by node   | npa=node+second
    outside > np2              | l r | l r by node   | npa=all
  and is not
    outside > np2              | l r | refused       | npa=node
    outside > np               | l r | refused       | npa=second
  nothing is listed
    outside > np2              | l r | open
  127.0.0.1 from elsewhere
    outside > localhost        | l r | dropped
    pod > localhost            | l r | dropped       | localhost
    outside@localhost > np     | l r | dropped
e2e localhost_nodeports, of 1.37
    node@localhost > localhost | l r | l r by node   | localhost v4
  and IPv6
    node@localhost > localhost | l r | l r by node   | localhost v6 | by a gate that is alpha
without endpoints, at localhost
    node@localhost > localhost |     | refused       | localhost v4
GetNodeIPs, one family alone
    outside > np               | l r | l r by node   | npa=all4 v4
    outside > np               | l r | open          | npa=all4 v6
    outside > np2              | l r | open          | npa=all4 v6
  no match
    outside > np               | l r | refused       | npa=outside
IPVS TestNodePortIPv4
    outside > np               | l r | l r by node
    outside > np               | l r | l r by node   | udp shape=udp
    outside > np2              | l r | l r by node   | npa=all sctp shape=sctp
IPVS TestNodePortIPv6
    outside > np               | l r | refused       | only=4 v6
    outside > np               | l r | l r by node   | only=4 v4
Cilium testNodePort, node
    node > np                  | l r | l r by node
    pod > np                   | l r | l r by node
    outside > np               | l r | l r by node   | udp shape=udp
  another node
    pod > far-np               | l r | passed
    node > far-np              | l r | passed
  localhost
    node@localhost > localhost | l r | refused       | v6 localhost
Cilium connectivity, second network
    outside > np2              | l r | l r by node   | npa=all
Cilium tc_lxc_lb_nodeport, another node's
    pod > far-np               | l r | l by node     |  | serves it at once by a local one
Cilium, pod to its own loopback
    pod > localhost            | l r | refused       |  | the pod's own kernel refuses it
Calico nat_test, not listed
    outside > np2              | l r | refused       | npa=node
Calico fv, second address
    outside > np2              | l r | l r by node   | npa=all
Calico fv, pods
    pod > np                   | l r | l r by node
  another node
    pod > far-np               | l r | passed
Calico fv, hosts
    node > np                  | r   | r by node
    node > far-np              | r   | passed
Antrea, nodePort
    outside > np               | l r | l r by node
other ports of the node
    outside > np:81            | l r | refused
    outside > np2:81           | l r | refused
    pod > np:80                | l r | refused
another protocol
    outside > np               | l r | refused       | udp
  at the second address
    outside > np2              | l r | refused       | udp
of type NodePort
    outside > np2              | l r | open          | type=NodePort
a type without nodePorts
    outside > np2              | l r | refused       | type=ClusterIP
whose endpoints have both families
    outside > np               | l r | refused       | only=4 v6 shape=slices46
of the other family
    outside > np2              | l r | refused       | only=4 v6
  another Service's
    outside > np:30081         | l r | refused
none here, default
    outside > np2              |     | open
without endpoints, excluded
    outside > np2              |     | refused       | npa=node
a loopback source
    node@localhost > cip       | l r | open
    node@localhost > lb        | l r | open
    node@localhost > free      | l r | open
""")

NO_BUSINESS = table("""
headless
    pod > eip      | l r | passed         | shape=headless
TestServiceToServiceMap, headless
    outside > eip  | l r | passed         | shape=headless
  SCTP
    outside > eip  | l r | passed         | shape=headless sctp
  ClusterIP
    pod > cip      | l r | l r by client  | type=ClusterIP
  NodePort
    outside > np   | l r | l r by node    | type=NodePort
  LoadBalancer
    outside > lb   | l r | l r by node
  eTP Local
    outside > lb   | l r | l by client    | etp=Local
  ExternalName
    pod > cip      | l r | dropped/passed | shape=external-name
  a Service of the other family
    pod > cip      | l r | dropped/passed | only=6 v4
    pod > cip      | l r | l r by client  | only=6 v6
    pod > eip      | l r | passed         | only=4 v6
    pod > lb       | l r | passed         | only=6 v4
  mixed ones, each its own
    outside > lb   | l r | l r by node
    outside > eip  | l r | l r by node
ExternalName, a cluster IP left over
    pod > cip      | l r | dropped        | shape=external-name +unallocated-ip-dropped
    outside > eip  | l r | passed         | shape=external-name
    outside > np   | l r | refused        | shape=external-name
KEP-2447, left to another proxy
    pod > cip      | l r | dropped/passed | shape=proxy-name
    outside > np   | l r | refused        | shape=proxy-name
    outside > lb   | l r | passed         | shape=proxy-name
  whatever the label says
    outside > eip  | l r | passed         | shape=proxy-name-empty
e2e service, service-proxy-name
    pod > eip      | l r | passed         | shape=proxy-name
service-validator, service-proxy-name
    node > np      | l r | refused        | shape=proxy-name
  headless label
    pod > cip      | l r | refused        | shape=headless-slices
a Service that bears it
    pod > cip      | l r | open           | shape=labelled-headless
slices without a Service
    pod > eip      | l r | passed         | shape=orphans
nobody's address
    pod > eip2     | l r | passed
    outside > eip2 | l r | passed
    pod > r:8080   | r   | passed
    node > r:8080  | r   | passed
    outside > o:80 | l r | passed
no SCTP
    pod > cip      | l r | open           | -sctp sctp shape=sctp
    outside > np   | l r | open           | -sctp sctp shape=sctp
    pod > cip:81   | l r | passed         | -sctp sctp +unserved-port-passed
    pod > cip      | l r | l r by client  | -sctp
""")
