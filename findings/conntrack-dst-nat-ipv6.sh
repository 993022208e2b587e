#!/bin/sh
# conntrack -D --dst-nat ADDRESS does not look at the address where it is of IPv6: it deletes every
# flow whose destination was translated, be it to another address. With IPv4 it deletes those that
# were translated to the address, as the manual says.
# (kube-proxy before 1.32 ended flows to one endpoint by it, and in IPv6 ended those to all.)
# Seen: conntrack-tools 1.4.7 (Debian 12), Linux 6.18.44.
# Exit code: 0 as told here, 1 it behaves otherwise, 2 it could not be tried.
set -eu

if [ "${1-}" != inside ]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    script=$(realpath "$0")
    cd "$folder"
    apt-get download conntrack=1:1.4.7-1+b2 libnetfilter-conntrack3=1.0.9-3 libnfnetlink0=1.0.2-2 \
        libmnl0=1.0.4-3 nftables=1.0.6-2+deb12u2 libnftables1=1.0.6-2+deb12u2 \
        libnftnl11=1.2.4-2 >log 2>&1 || { cat log >&2; exit 2; }
    for package in *.deb; do dpkg-deb -x "$package" root; done
    unshare -Urn sh "$script" inside "$folder/root"
    exit
fi

for library in "$2"/usr/lib/*/libnetfilter_conntrack.so.3; do libraries=$(dirname "$library"); done
export LD_LIBRARY_PATH="$libraries:$2/lib/${libraries##*/}" PATH="$2/usr/sbin:$PATH:/usr/sbin:/sbin"

# Two datagrams to one address of each family, translated to an endpoint each.
uname -sr && conntrack --version && ip link set lo up &&
    ip link add out type veth peer name away && ip link set out up && ip link set away up &&
    ip address add 10.0.0.9/24 dev out && ip address add fd00::9/64 dev out nodad &&
    nft -f - <<'RULES' || exit 2
table inet nat {
    chain output {
        type nat hook output priority -100
        ip daddr 10.0.0.80 udp sport 1001 dnat ip to 10.0.0.1
        ip daddr 10.0.0.80 udp sport 1002 dnat ip to 10.0.0.2
        ip6 daddr fd00::80 udp sport 1001 dnat ip6 to fd00::1
        ip6 daddr fd00::80 udp sport 1002 dnat ip6 to fd00::2
    }
}
RULES
python3 -c 'import socket
for family, own, address in ((socket.AF_INET, "10.0.0.9", "10.0.0.80"), (socket.AF_INET6, "fd00::9", "fd00::80")):
    for port in (1001, 1002):
        end = socket.socket(family, socket.SOCK_DGRAM)
        end.bind((own, port))
        end.sendto(b"?", (address, 80))' || exit 2

# The ports of the UDP flows of family $1 to address $2.
flows() { conntrack -L -f "$1" -p udp --orig-dst "$2" 2>/dev/null | grep -o 'sport=100.' | sort | tr '\n' ' '; }
changed=0
# Delete the flows of family $1 to address $2 that are translated to $3; $4 are to be left.
expect() {
    before=$(flows "$1" "$2")
    [ "$before" = "sport=1001 sport=1002 " ] || { echo "$1: there are $before"; exit 2; }
    conntrack -D -f "$1" -p udp --orig-dst "$2" --dst-nat "$3" >/dev/null 2>&1 || exit 2
    after=$(flows "$1" "$2")
    echo "$1: of ${before}those to $3 were to be deleted; left: ${after:-none}"
    [ "$after" = "$4" ] || { echo CHANGED; changed=1; }
}
expect ipv4 10.0.0.80 10.0.0.1 'sport=1002 '
expect ipv6 fd00::80 fd00::1 ''
exit "$changed"
