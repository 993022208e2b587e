#!/bin/sh
# net.ipv6.icmp.ratelimit=0 does not lift Linux' limit on ICMPv6 errors: a budget that is set, and
# counted, under IPv4 (net.ipv4.icmp_msgs_per_sec, OutRateLimitGlobal) holds for both families.
# Of 400 datagrams to a closed port some 50 are answered; all are when that budget is raised, or
# when net.ipv6.icmp.ratemask is empty, with everything else at its default.
# Seen: Linux 6.18.44, iproute2 6.1.0 (Debian 12).
# Exit code: 0 as told here, 1 it behaves otherwise, 2 it could not be tried.
set -eu

if [ "${1-}" != inside ]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    script=$(realpath "$0")
    cd "$folder"
    apt-get download iproute2=6.1.0-3 libbpf1=1:1.1.2-0+deb12u1 libelf1=0.188-2.1 \
        libmnl0=1.0.4-3 libbsd0=0.11.7-2 libmd0=1.0.4-2 >log 2>&1 || { cat log >&2; exit 2; }
    for package in *.deb; do dpkg-deb -x "$package" root; done
    unshare -Urnm sh "$script" inside "$folder/root"
    exit
fi

for library in "$2"/usr/lib/*/libmnl.so.0; do libraries=$(dirname "$library"); done
export LD_LIBRARY_PATH="$libraries:$2/lib/${libraries##*/}" PATH="$2/sbin:$2/bin:$PATH"
mac=02:00:00:00:00:0
uname -sr && ip -V && mount -t tmpfs none /run && ip netns add client &&
    ip link add here address ${mac}1 type veth peer name there address ${mac}2 netns client &&
    ip link set here up && ip -n client link set there up &&
    ip address add fd00::1/64 dev here nodad && ip -n client address add fd00::2/64 dev there nodad &&
    ip neighbour add fd00::2 lladdr ${mac}2 dev here &&
    ip -n client neighbour add fd00::1 lladdr ${mac}1 dev there || exit 2

# Since the start: errors that the client got, and errors that IPv4's budget held back.
got() { ip netns exec client awk '/^Icmp6InDestUnreachs / { print $2 }' /proc/net/snmp6; }
held() { awk '/^Icmp:/ { if (n) print $n; else while ($++n != "OutRateLimitGlobal" && n < NF); }' /proc/net/snmp; }
send='import socket
udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
for _ in range(400): udp.sendto(b"?", ("fd00::1", 9))'

# expect HELD SETTINGS: whether some (1) or none (0) of 400 errors are held back; the rest arrive.
expect() {
    g0=$(got) h0=$(held) polls=0
    ip netns exec client python3 -c "$send" || exit 2
    until g=$(($(got) - g0)) h=$(($(held) - h0)); [ $((g + h)) -eq 400 ] || [ $polls -eq 100 ]; do
        polls=$((polls + 1)); sleep 0.1; done
    echo "$2: of 400 datagrams $g answered, $h held back by IPv4's budget"
    [ $((g + h)) -eq 400 ] && [ $((h > 0)) -eq "$1" ] || { echo CHANGED; changed=1; }
}
put() { echo "$2" >"/proc/sys/net/$1" || exit 2; }
budget() { put ipv4/icmp_msgs_per_sec "$1"; put ipv4/icmp_msgs_burst "$2"; }
changed=0
put ipv6/icmp/ratelimit 0
expect 1 'net.ipv6.icmp.ratelimit=0'
budget 1000000 1000000
sleep 0.1
expect 0 'the same, net.ipv4.icmp_msgs_per_sec and _burst raised'
budget 1000 50
put ipv6/icmp/ratelimit 100
put ipv6/icmp/ratemask ''
expect 0 'net.ipv6.icmp.ratemask empty, everything else at its default'
exit "$changed"
