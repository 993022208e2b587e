#!/bin/sh
# iptables-save of the nf_tables variant exits 0 and says nothing on stderr where it cannot show a
# rule that nft has added: it prints one comment for the whole table, rules of its own included, and
# a parser takes that for an empty one.
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
shown='ip daddr 10.0.0.1 drop'
expect "$shown" "$(save "$shown")" '-A FORWARD -p tcp -m tcp --dport 80 -j DROP
-A FORWARD -d 10.0.0.1/32 -j DROP'
state='ct state new drop'
expect "$state" "$(save "$state")" "# Table \`filter' is incompatible, use 'nft' tool."
exit "$changed"
