#!/bin/sh
# Linux translates a connection that it has translated from its first packet on only while some chain
# of type nat is there, whichever it is: with the last one of a family all hooks of NAT go, and the
# packets of an established connection pass as they are, though conntrack knows its translation still.
# An empty chain of type nat, of any table, brings it back. (A connection whose rules are replaced by
# other tables in two steps is cut in between, or not, by who else has a chain of that type.)
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

python3 - <<'PROGRAM'
import socket
import subprocess
import sys

TRANSLATING = """
table ip translating {
    chain output {
        type nat hook output priority -100
        ip daddr 127.0.0.80 udp dport 9 dnat to 127.0.0.1:9999
    }
}
"""
WATCHING = """
table ip watching { chain output { type filter hook output priority 0; ct state established accept; }; }
"""
EMPTY = "table ip empty { chain postrouting { type nat hook postrouting priority 100; }; }"


def nft(rules: str) -> None:
    if subprocess.run(["nft", "-f", "-"], input=rules, text=True).returncode:
        sys.exit(2)


def listen(address: str, port: int) -> socket.socket:
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.bind((address, port))
    end.settimeout(0.5)
    return end


# both see conntrack's entry as long as it lives: the table that watches keeps connections tracked
endpoint, original = listen("127.0.0.1", 9999), listen("127.0.0.80", 9)
client = listen("127.0.0.1", 40000)
changed = False


def expect(what: str, wanted: socket.socket) -> None:
    global changed
    client.sendto(b"?", ("127.0.0.80", 9))
    came = []
    for name, end in (("the endpoint", endpoint), ("the original address", original)):
        try:
            end.recv(10)
            came.append((name, end))
        except TimeoutError:
            pass
    print(f"{what}: came to {', '.join(name for name, _ in came) or 'nobody'}")
    if [end for _, end in came] != [wanted]:
        print("CHANGED")
        changed = True


nft(WATCHING + TRANSLATING)
expect("first packet of the flow", endpoint)
nft("delete table ip translating")
expect("its rule is gone, and with it the last chain of type nat", original)
nft(EMPTY)
expect("another chain of type nat is there, and empty", endpoint)
nft("delete table ip empty")
expect("that is gone, too", original)
sys.exit(changed)
PROGRAM
