#!/bin/sh
# A chain of type nat does not translate where its priority is: Linux runs all chains of that type in
# one place, by their priorities among each other. With priority 100 (or 300) in hook output, what a
# chain of type filter at priority 0 sees is translated already; with priority -150 what one at -120
# sees is not yet. So no chain of type nat comes before, or after, a chain of another type by its
# priority, as nft list ruleset has it.
# Seen: nftables 1.0.6 (Debian 12), Linux 6.18.44.
# Exit code: 0 as told here, 1 it behaves otherwise, 2 it could not be tried.
set -eu

if [ "${1-}" != inside ]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    script=$(realpath "$0")
    cd "$folder"
    apt-get download nftables=1.0.6-2+deb12u2 libnftables1=1.0.6-2+deb12u2 libnftnl11=1.2.4-2 \
        libmnl0=1.0.4-3 >log 2>&1 || { cat log >&2; exit 2; }
    for package in *.deb; do dpkg-deb -x "$package" root; done
    unshare -Urn sh "$script" inside "$folder/root"
    exit
fi

for library in "$2"/usr/lib/*/libnftables.so.1; do libraries=$(dirname "$library"); done
export LD_LIBRARY_PATH="$libraries:$2/lib/${libraries##*/}" PATH="$2/usr/sbin:$PATH:/usr/sbin:/sbin"
uname -sr && nft --version && ip link set lo up || exit 2

changed=0
# With a chain of type nat at priority $1, a chain of type filter at priority $2 sees the address $3.
expect() {
    nft -f - <<RULES || exit 2
flush ruleset
table ip test {
    counter original { }
    counter translated { }
    chain translate {
        type nat hook output priority $1
        ip daddr 127.0.0.80 udp dport 9 dnat to 127.0.0.1
    }
    chain look {
        type filter hook output priority $2
        udp dport 9 ip daddr 127.0.0.80 counter name original
        udp dport 9 ip daddr 127.0.0.1 counter name translated
    }
}
RULES
    python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"?", ("127.0.0.80", 9))' || exit 2
    seen=
    for name in original translated; do
        nft list counter ip test "$name" | grep -q 'packets 1 ' && seen=$name
    done
    echo "nat at priority $1: a filter at $2 sees the ${seen:-no} address"
    [ "$seen" = "$3" ] || { echo CHANGED; changed=1; }
}
expect -100 0 translated
expect 100 0 translated
expect 300 0 translated
expect -150 -120 original
exit "$changed"
