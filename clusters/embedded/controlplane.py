"""A real etcd and kube-apiserver, ready in about two seconds, that keep nothing beyond the run."""

from __future__ import annotations

import base64
import secrets
import socket
from typing import TYPE_CHECKING, Any

from clusters.api import Api
from clusters.embedded import certificates
from clusters.process import Daemon, LocalProcess
from specification.addresses import SERVICE_RANGES

if TYPE_CHECKING:
    from pathlib import Path


_FRUGAL = {"GOGC": "400", "GOMAXPROCS": "1"}
"""Memory for time, and no threads that spin: tests write much, and one thing after another."""

_BITMAP = ["--emulated-version=1.33", "--feature-gates=MultiCIDRServiceAllocator=false"]
"""Cluster IPs out of a bitmap, as up to 1.32. The allocator of IPAddress objects lists all of them
twice for every Service that it gives an address (createIPAddress sets its gauges from Used and
Free, pkg/registry/core/service/ipallocator), so 10,000 Services take five times as long. From 1.34
on the gate is locked; clusters/build/kube-apiserver lets the API server emulate 1.33 for it."""


class ControlPlane:
    """etcd and kube-apiserver on one management address; ``api`` talks to them as administrator,
    and programs on a node do by ``kubeconfig``.

    ``many_services`` makes Services in a time that does not grow with their number; the API is
    that of Kubernetes 1.33 then.
    """

    def __init__(
        self,
        binaries: dict[str, Path],
        folder: Path,
        address: str,
        *,
        many_services: bool = False,
    ) -> None:
        self.address = address
        self._folder = folder
        folder.mkdir(parents=True)
        certificates.make(folder, ["127.0.0.1", address])
        self._token = secrets.token_hex(16)
        (folder / "tokens.csv").write_text(f"{self._token},admin,admin,system:masters\n")
        etcd_port, peer_port, self._port = _free_ports(3)
        etcd = f"http://127.0.0.1:{etcd_port}"
        peer = f"http://127.0.0.1:{peer_port}"
        self._etcd = self._start(
            "etcd",
            [
                str(binaries["etcd"]),
                f"--data-dir={folder / 'etcd'}",
                f"--listen-client-urls={etcd}",
                f"--advertise-client-urls={etcd}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
                "--unsafe-no-fsync",  # nothing here outlives the run
                "--log-level=warn",
            ],
        )
        self._apiserver = self._start(
            "kube-apiserver",
            [
                str(binaries["kube-apiserver"]),
                f"--etcd-servers={etcd}",
                f"--secure-port={self._port}",
                "--bind-address=0.0.0.0",
                f"--advertise-address={address}",
                f"--tls-cert-file={folder / 'server.crt'}",
                f"--tls-private-key-file={folder / 'server.key'}",
                f"--token-auth-file={folder / 'tokens.csv'}",
                "--authorization-mode=AlwaysAllow",
                "--disable-admission-plugins=ServiceAccount",
                f"--service-account-key-file={folder / 'service-account.key'}",
                f"--service-account-signing-key-file={folder / 'service-account.key'}",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-cluster-ip-range={','.join(map(str, SERVICE_RANGES.values()))}",
                # the Service "kubernetes" has no endpoint on a node
                "--endpoint-reconciler-type=none",
                "--profiling=false",
                *(_BITMAP if many_services else []),
            ],
        )
        self.kubeconfig = self._kubeconfig()
        self.api = Api(self.kubeconfig)

    def wait_ready(self) -> float:
        """Wait until the API server serves and return the seconds that took; raises StartError."""
        return self._apiserver.wait_ready(self.api.ready)

    @property
    def server(self) -> str:
        """The API server's URL as a node reaches it over the management wire."""
        return f"https://{self.address}:{self._port}"

    def _kubeconfig(self) -> dict[str, Any]:
        authority = base64.b64encode((self._folder / "ca.crt").read_bytes()).decode()
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "suite",
                    "cluster": {"server": self.server, "certificate-authority-data": authority},
                }
            ],
            "users": [{"name": "admin", "user": {"token": self._token}}],
            "contexts": [{"name": "suite", "context": {"cluster": "suite", "user": "admin"}}],
            "current-context": "suite",
        }

    def stop(self) -> None:
        """End both programs at once: nothing of theirs is kept."""
        self.api.close()
        self._apiserver.kill()
        self._etcd.kill()

    def _start(self, name: str, argv: list[str]) -> Daemon:
        log = self._folder / f"{name}.log"
        return Daemon(name, lambda: LocalProcess(argv, log, _FRUGAL), log)


def _free_ports(count: int) -> list[int]:
    """Ports that are free in this namespace now; all are held together so that they differ."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [entry.getsockname()[1] for entry in sockets]
    finally:
        for entry in sockets:
            entry.close()
