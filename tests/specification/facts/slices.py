"""Which endpoints a Service port has, by its EndpointSlices; and whom a client comes back to."""

from tests.specification.table import table

PORTS = table("""
TestClusterIPGeneral, one
    pod > cip        | l     | l by client
  several
    pod > cip        | l m r | l m r by client
  targetPort
    pod > cip        | l r   | l:9090 r:9090 by client | shape=remapped
  TCP of three
    pod > cip        | l     | l by client             | shape=three
  UDP of three
    pod > cip        | l     | l:8081 by client        | shape=three udp
  SCTP of three
    pod > cip        | l     | l:8082 by client        | shape=three sctp
  and by nodePort
    outside > np     | l     | l:8082 by node          | shape=three sctp
TestUpdateEndpointsMap, unnamed
    pod > cip        | l     | l by client             | shape=unnamed
  several slices
    pod > cip        | l r   | l r by client           | shape=apiece
  and ports
    pod > cip        | l f   | l f by client           | shape=split-ports
    pod > cip:81     | l f   | f:9090 by client        | shape=split-ports
  several Services
    pod > namesake   | l     | x by client
    pod > other:8000 | l     | y by client
  renamed
    pod > cip        | l     | refused                 | shape=renamed
TestEndpointsMapFromESC, two ports
    pod > cip        | l     | l by client             | shape=two-targets
    pod > cip:81     | l     | l:9090 by client        | shape=two-targets
  two slices
    pod > cip        | l r   | l r by client           | shape=apiece
  they overlap
    pod > cip        | l r   | l r by client           | shape=twice
  they disagree on ready
    pod > cip        | l r   | open                    | shape=also-unready
  of other Services
    pod > cip        | l     | refused                 | shape=others-slices
  no port
    pod > cip        | l     | refused                 | shape=no-port
TestEndpointInfoByServicePort
    pod > cip        | l m r | l m r by client
  with duplicates
    pod > cip        | l m r | l m r by client         | shape=twice
  the running one wins
    pod > cip        | l r   | l r by client           | shape=also-terminating
TestEndpointSliceUpdate, other family
    pod > cip        | l     | refused                 | shape=slices6 v4
    pod > cip        | l     | l by client             | shape=slices6 v6
  FQDN
    pod > cip        | l     | refused                 | shape=fqdn
  no Service label
    pod > cip        | l     | refused                 | shape=unlabelled-slices
TestServiceToServiceMap, other port
    pod > cip        | l     | l:9090 by client        | shape=target-port
""")

PEERS = table("""
e2e service, two ports
    pod > cip       | l f | l f by client    | shape=split-ports
e2e service, headless label
    pod > cip       | l r | refused          | shape=headless-slices
e2e service, ports added and deleted
    pod > cip:81    | l   | l:9090 by client | shape=two-targets
e2e service, TCP and UDP on one number
    outside > np    | l   | l:8081 by node   | shape=three udp
    outside > np    | l   | l by node        | shape=three
    pod > lb        | l   | l:8081 by node   | shape=three udp
e2e service, externalIP
    pod > eip       | l   | l by node
e2e service, ports of sidecars
    pod > cip       | l   | l:9090 by client | shape=target-port
e2e service, named targetPorts
    pod > cip       | l   | l:9090 by client | shape=remapped
e2e networking, pod-Service
    pod > cip       | l r | l r by client
    pod > np        | l r | l r by node
  udp
    pod > cip       | l r | l r by client    | udp shape=udp
    pod > np        | l r | l r by node      | udp shape=udp
  sctp
    pod > cip       | l r | l r by client    | sctp shape=sctp
  node-Service
    node > cip      | l r | l r by node
    node > np       | l r | l r by node
    node > cip      | l r | l r by node      | udp shape=udp
    node > cip      | l r | l r by node      | sctp shape=sctp
  update endpoints
    pod > cip       | m r | m r by client
e2e endpointslice
    pod > cip       | l r | l r by client    | shape=apiece
    pod > cip:81    | l r | r:9090 by client | shape=split-ports
Cilium lb_tests
    pod > cip       | l   | l by client
    pod > cip       | l   | l by client      | udp shape=udp
Cilium loadbalancer-multiprotocol
    outside > lb    | l   | l:8081 by node   | shape=three udp
Cilium loadbalancer-multiport
    outside > lb:81 | l   | l:9090 by node   | shape=two-targets
Cilium multiple-endpointslices
    pod > cip       | l r | l r by client    | shape=apiece
Cilium migrate-backend
    pod > cip       | l r | l r by client    | shape=twice
Cilium name-collisions
    pod > namesake  | l r | x by client
Cilium dualstack
    pod > cip       | l r | l r by client    | v6
Calico proxy_test, named ports
    pod > cip       | l   | refused          | shape=renamed
Calico syncer, without Service
    pod > cip       | l   | refused          | shape=slices-abroad
Calico fv, both families
    outside > np    | l r | l r by node
Antrea, cluster IP
    pod > cip       | l r | l r by client
    node > cip      | l r | l r by node
cyclonus
    pod > cip       | l r | l r by client    | udp shape=udp
    pod > cip       | l r | l r by client    | sctp shape=sctp
  two namespaces
    pod > namesake  | l r | x by client
""")

BEYOND = table("""
API, discovery/v1, first address
    pod > cip    | l r         | l r by client | shape=two-addresses
names are matched exactly
    pod > cip    | l           | refused       | shape=upper
and so are protocols
    pod > cip    | l           | refused       | shape=slice-udp
port 0 is none
    pod > cip    | l           | refused       | shape=port-zero
whoever has written them
    pod > cip    | l r         | l r by client | shape=slices-of-nobody
one family's endpoints
    pod > cip    | l r         | l r by client | shape=slices4 v4
    pod > cip    | l r         | refused       | shape=slices4 v6
two slices that say the same
    pod > cip    | l           | l by client   | shape=twice-without-serving
disagree on the node
    pod > cip    | l           | open          | shape=also-elsewhere
  on a hint
    pod > cip    | l r         | open          | shape=also-hinted
    pod > cip    | l r         | open          | shape=also-hinted-node
  where ready ones terminate
    pod > cip    | l r         | l r by client | shape=also-published
  whoever it is
    outside > lb | l r         | open          | shape=also-unready
an unready one runs, another drains
    pod > cip    | l:unready r | r by client   | shape=also-terminating
    pod > cip    | l:unready   | refused       | shape=also-terminating
""")

AFFINITY = table("""
API, core/v1 ClientIPConfig
    pod > cip    | l m r          | m by client             | sticky was=m/100
  by every frontend
    outside > np | l m r          | m by node               | sticky was=m/100
    outside > lb | l m r          | r by node               | sticky was=r/100
    node > cip   | l m r          | m by node               | sticky was=m/100
  for three hours
    pod > cip    | l m r          | m by client             | sticky was=m/10799
    pod > cip    | l m r          | l m r by client         | sticky was=m/10800
    pod > cip    | l m r          | m by client             | sticky was=m/10799.9
  or as long as it says
    pod > cip    | l m r          | m by client             | sticky=30 was=m/29
    pod > cip    | l m r          | l m r by client         | sticky=30 was=m/30
    pod > cip    | l m r          | l m r by client         | sticky=30 was=m/31
  without a memory
    pod > cip    | l m r          | l m r by client         | sticky
  without affinity
    pod > cip    | l m r          | l m r by client         | was=m/1
  the endpoint has gone
    pod > cip    | l r            | l r by client           | sticky was=m/1
  or is not ready
    pod > cip    | l m:unready r  | l r by client           | sticky was=m/1
  or terminates
    pod > cip    | l m:draining r | l r by client           | sticky was=m/1
  or is not here
    outside > np | l m r          | l m by client           | sticky was=r/1 etp=Local
    pod > cip    | l m r          | l m by client           | sticky was=r/1 itp=Local
  or is hinted for another zone
    pod > cip    | l@a m@a r@b    | l m by client           | sticky was=r/1
  for each port by itself
    pod > cip:81 | l m            | l:9090 m:9090 by client | sticky was=m/1 shape=two-targets
e2e service, affinity
    pod > cip    | l r            | r by client             | sticky was=r/1
    outside > np | l r            | r by node               | sticky was=r/1
e2e loadbalancer, eTP Local
    outside > lb | l m r          | m by client             | sticky was=m/1 etp=Local
Cilium session_affinity_test
    pod > cip    | l r            | r by client             | sticky was=r/1
  expired
    pod > cip    | l r            | l r by client           | sticky=10 was=r/11
  backend gone
    pod > cip    | l m            | l m by client           | sticky was=r/1
Calico nat_test, affinity
    pod > cip    | l r            | l by client             | sticky was=l/1
service-validator, affinity
    pod > cip    | l r            | l by client             | sticky was=l/1
UDP
    pod > cip    | l r            | r by client             | sticky was=r/1 udp shape=udp
""")

ACROSS_PORTS = table("""
service-validator, affinity across ports
    pod > cip:81 | l m | m:9090 by client | sticky was=m/1 shape=two-targets | kubernetes#103000
""")
