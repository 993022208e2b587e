#!/bin/sh
# iptables-save of the nf_tables variant exits 0 and says nothing on stderr whether it can show a
# rule that nft added or not. One that looks up an anonymous set is printed without its match, so
# that a rule for two addresses reads, and is restored, as one for all; one that it cannot show at
# all makes it print a comment for the whole table, which a parser takes for an empty one.
# Seen: iptables 1.8.9, nftables 1.0.6 (Debian 12), Linux 6.18.
# Exit code: 0 as told here, 1 it behaves otherwise, 2 it could not be tried.
set -eu

if [ "${1-}" != inside ]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    script=$(realpath "$0")
    cd "$folder"
    apt-get download iptables=1.8.9-2 libxtables12=1.8.9-2 libnftnl11=1.2.4-2 \
        nftables=1.0.6-2+deb12u2 libnftables1=1.0.6-2+deb12u2 libmnl0=1.0.4-3 \
        libjansson4=2.14-2 libedit2=3.1-20221030-2 libbsd0=0.11.7-2 libmd0=1.0.4-2 \
        >apt.log 2>&1 || { cat apt.log >&2; exit 2; }
    for package in *.deb; do dpkg-deb -x "$package" root; done
    unshare -Urn sh "$script" inside "$folder/root"
    exit
fi

root=$2
for library in "$root"/usr/lib/*/libxtables.so.12; do libraries=$(dirname "$library"); done
export LD_LIBRARY_PATH="$libraries:$root/lib/${libraries##*/}" XTABLES_LIBDIR="$libraries/xtables"
export PATH="$root/usr/sbin:$PATH"
iptables-nft --version || exit 2
nft --version || exit 2

# save RULE: what is saved, comments on time aside, of a table with one rule of each tool.
save() {
    nft flush ruleset
    iptables-nft -A FORWARD -p tcp --dport 80 -j DROP
    nft "add rule ip filter FORWARD $1"
    iptables-nft-save -t filter 2>&1 >saved || echo "exit code $?"
    grep -E '^(-A|# Table)' saved || true
}

cd "$root"
changed=0
expect() {
    printf '\nnft: %s\n%s\n' "$1" "$2"
    [ "$2" = "$3" ] || { printf 'CHANGED, it was:\n%s\n' "$3"; changed=1; }
}
ours='-A FORWARD -p tcp -m tcp --dport 80 -j DROP'
set='ip daddr { 10.0.0.1, 10.0.0.2 } drop'
expect "$set" "$(save "$set")" "$ours
-A FORWARD -j DROP"
iptables-nft-restore <saved
restored=$(nft list chain ip filter FORWARD | sed -n 's/^[[:space:]]*\(counter .*drop\)$/\1/p')
expect 'that, restored' "$restored" 'counter packets 0 bytes 0 drop'
state='ct state new drop'
expect "$state" "$(save "$state")" "# Table \`filter' is incompatible, use 'nft' tool."
exit "$changed"
