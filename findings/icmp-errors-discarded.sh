#!/bin/sh
# Linux discards ICMP errors that it is to send while some 170 of them wait to leave, be there room for
# many more in the link's queue, and whatever the limits of rate are: they are of a socket of the kernel's
# own, for each processor, whose buffer is 2 * SKB_TRUESIZE(65536), 132 KB, and no setting. No queue counts
# them as dropped; IcmpOutErrors and IpOutDiscards do. So behind a link that is slow for a moment, or a
# virtual machine's whose card is emulated, some refusals of a few hundred datagrams never come.
# Of 1,000 datagrams to a port where nobody listens 186 were answered here.
# Seen: Linux 6.18.44 (a veth with tbf), 6.1.192 (virtio_net).
# Exit code: 0 as told here, 1 it behaves otherwise, 2 it could not be tried.
set -eu

if [ "${1-}" != inside ]; then
    unshare -Urn true || exit 2
    exec unshare -Urn sh "$(realpath "$0")" inside
fi

export PATH="$PATH:/usr/sbin:/sbin"
unshare -n sleep 60 &
other=$!
trap 'kill "$other"' EXIT
there() { nsenter -n -t "$other" "$@"; }
until [ "$(readlink "/proc/$other/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done

uname -sr && ip -V && ip link add near type veth peer name far && ip link set far netns "$other" &&
    ip address add 10.0.0.1/24 dev near && ip link set near up &&
    there ip address add 10.0.0.2/24 dev far && there ip link set far up &&
    there sh -c 'echo 0 >/proc/sys/net/ipv4/icmp_ratemask' || exit 2

# The counter of Icmp in /proc/net/snmp that is named $1.
count() {
    there python3 -c 'import sys
names, values = (line.split() for line in open("/proc/net/snmp") if line.startswith("Icmp: "))
print(values[names.index(sys.argv[1])])' "$1"
}
# Have 1,000 datagrams sent at once, while the link is as $1 says: some errors are discarded (1) or none.
changed=0
expect() {
    sent=$(count OutDestUnreachs) discarded=$(count OutErrors)
    python3 -c 'import contextlib, socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
    left = 1000
    while left:
        with contextlib.suppress(ConnectionRefusedError):  # of one before
            end.sendto(b"?", ("10.0.0.2", 9))
            left -= 1' || exit 2
    sleep 1
    sent=$(($(count OutDestUnreachs) - sent)) discarded=$(($(count OutErrors) - discarded))
    echo "1000 datagrams, the link is $1: $sent errors sent, $discarded discarded"
    [ $((sent + discarded)) -eq 1000 ] || exit 2
    [ $((discarded > 0)) -eq "$2" ] || { echo CHANGED; changed=1; }
}
expect fast 0
there tc qdisc add dev far root tbf rate 8kbit burst 2000 limit 100000000 || exit 2
expect slow 1
there tc -s qdisc show dev far
there tc -s qdisc show dev far | grep -q 'dropped 0,' || { echo CHANGED; changed=1; }
exit "$changed"
