#!/bin/sh
# A transaction of nft is not atomic for a packet under way: one that is walking through a chain's old
# rules while, on another processor, a transaction replaces a rule with a map of its own finds
# nothing in that map, and goes on with the next rule as if no element was meant for it. (Rules are of
# the generation in which the packet entered the chain, elements of the one at the time of the lookup,
# and those of a map that goes with its rule are given up with the transaction.) A map with a name,
# whose elements stay, misses nobody, though its rule is replaced the same way. Needs two processors.
# (kube-proxy in nftables mode has a map like the first for the endpoints of each Service: while they
# change, a new connection now and then is not translated.)
# Seen: nftables 1.0.6 (Debian 12), Linux 6.18.44: 1 to 80 of some 400,000 packets, 200 transactions.
# Exit code: 0 as told here, 1 it behaves otherwise, 2 it could not be tried.
set -eu

if [ "${1-}" != inside ]; then
    [ "$(nproc)" -gt 1 ] || { echo "needs two processors" >&2; exit 2; }
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

# The rules of a chain that finds an element for every packet by $1, after many rules that match none:
# the longer a packet walks, the likelier a transaction meets it.
rules() {
    seq 1 500 | sed 's/.*/add rule ip test choose udp dport & continue/'
    echo "add rule ip test choose numgen random mod 2 vmap $1"
}
changed=0
# Send datagrams for a while and have the rules with the map $2 replaced all the time; $3 says whether
# some are missed.
expect() {
    { cat <<RULES; rules "$2"; } | nft -f - || exit 2
flush ruleset
table ip test {
    counter found { }
    counter missed { }
    map named { typeof numgen random mod 2 : verdict; }
    chain found { counter name found accept; }
    chain choose { }
    chain out {
        type filter hook output priority 0
        udp dport 9999 jump choose
        udp dport 9999 counter name missed
    }
}
add element ip test named { 0 : goto found, 1 : goto found }
RULES
    { echo 'flush chain ip test choose'; rules "$2"; } >change
    python3 - <<'PROGRAM' || exit 2
import os, signal, socket, subprocess, time
changes = subprocess.Popen(["sh", "-c", "while nft -f change; do :; done"], start_new_session=True)
end = time.monotonic() + 10
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    while time.monotonic() < end:
        for _ in range(100):
            sender.sendto(b"?", ("127.0.0.1", 9999))
running = changes.poll() is None
os.killpg(changes.pid, signal.SIGTERM)
raise SystemExit(not running)
PROGRAM
    for name in found missed; do
        count=$(nft list counter ip test "$name" | sed -n 's/.*packets \([0-9]*\).*/\1/p')
        eval "$name=\$count"
    done
    echo "$1: $found found an element, $missed did not"
    [ "$found" -gt 0 ] || exit 2
    [ "$missed" -gt 0 ] && seen=some || seen=none
    [ "$seen" = "$3" ] || { echo CHANGED; changed=1; }
}
cd "$2/.."
expect "a map of the rule's own" '{ 0 : goto found, 1 : goto found }' some
expect "a map with a name" @named none
exit "$changed"
