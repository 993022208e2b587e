#!/bin/sh
# A UDP socket that sets SO_REUSEADDR and binds to port 0 may be given a port that another such socket
# has, while most are free: Linux draws one at random and passes over none that may be shared.
# Of 3,000 sockets 240 to 309 share a port (in 8 tries, of 28,232 ports), without the option none, and
# what is sent to a port goes to the last of its sockets. Here 1,000 ports are there to be given, so
# that 500 sockets show it on any machine.
# Seen: Linux 6.18.44, IPv4 and IPv6.
# Exit code: 0 as told here, 1 it behaves otherwise, 2 it could not be tried.
set -eu

if [ "${1-}" != inside ]; then
    unshare -Urn true || exit 2
    exec unshare -Urn sh "$(realpath "$0")" inside
fi

uname -sr && python3 --version && echo 40000 40999 >/proc/sys/net/ipv4/ip_local_port_range || exit 2

bind='import socket, sys
def bound():
    udp = socket.socket(getattr(socket, sys.argv[1]), socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(sys.argv[2]))
    udp.bind(("", 0))
    return udp
sockets = [bound() for _ in range(500)]
print(len({udp.getsockname()[1] for udp in sockets}))'

# expect SHARED FAMILY OPTION: whether some (1) or none (0) of 500 sockets share a port.
expect() {
    ports=$(python3 -c "$bind" "$2" "$3") || exit 2
    echo "$2, SO_REUSEADDR=$3: 500 sockets have $ports of 1000 ports"
    [ $((ports < 500)) -eq "$1" ] || { echo CHANGED; changed=1; }
}
changed=0
for family in AF_INET AF_INET6; do
    expect 0 "$family" 0
    expect 1 "$family" 1
done
exit "$changed"
