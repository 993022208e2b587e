"""Pod images in the store of a node's containerd, where no registry is asked for them."""

from __future__ import annotations

from pathlib import Path

from clusters.build.progress import Progress
from clusters.kind.image import base as image_base

_SCRIPT = r"""
set -eu
root=$1 archives=$2
mount -t proc proc "$root/proc"
mount -t tmpfs none "$root/run"
mount -t tmpfs none "$root/tmp"
mount --bind "$archives" "$root/mnt"
cat >"$root/tmp/config.toml" <<'END'
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "/run/containerd.sock"
END
chroot "$root" containerd --config /tmp/config.toml --log-level error &
daemon=$!
count=0
until chroot "$root" ctr --address /run/containerd.sock version >"$root/tmp/said" 2>&1; do
    count=$((count + 1))
    [ $count -lt 100 ] || { cat "$root/tmp/said"; exit 1; }
    sleep 0.1
done
for archive in "$archives"/*.tar; do
    chroot "$root" ctr --address /run/containerd.sock --namespace k8s.io \
        images import --no-unpack "/mnt/${archive##*/}"
done
kill $daemon
wait $daemon
"""


def load(root: Path, archives: Path, step: Progress) -> None:
    """Put every image of the folder ``archives`` into the store of the node's system at ``root``.

    The node's own containerd does it, so that what it reads later is what it wrote. It unpacks none
    of them: that has to happen on the file system where they are run.
    """
    image_base.run(["sh", "-c", _SCRIPT, "sh", str(root), str(archives)], "containerd", step)
