"""kube-proxy as kubeadm deploys it, with the suite's configuration laid over kubeadm's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from clusters.implementation import merge
from clusters.kind.cluster.delivery import KUBEADMS
from clusters.kind.node.daemonset import DaemonSetProxy, add_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clusters.api import Api
    from clusters.implementation import Implementation
    from clusters.kind.node.container import Container
    from specification.services import Object

_CONFIGURATION = Path("/var/lib/kube-proxy")
"""Where kubeadm mounts the proxy's ConfigMap."""

_MAIN = "config.conf"
"""Its entry that is kube-proxy's configuration."""


class KubeProxy(DaemonSetProxy):
    """kube-proxy in its pod on a kind node, run as the implementation's file says."""

    def __init__(
        self,
        implementation: Implementation,
        mode: str,
        system: Container,
        values: Mapping[str, str],
        api: Api,
    ) -> None:
        super().__init__(implementation, mode, system, values, api, KUBEADMS)
        self._values |= {
            "directory": str(_CONFIGURATION),
            "kubeconfig": str(_CONFIGURATION / "kubeconfig.conf"),
        }

    def _files(self, found: dict[str, str], config: Mapping[str, Any] | None) -> dict[str, str]:
        files = self.implementation.files_for(self._values, config)
        main = self.implementation.config
        if main in files:
            base = yaml.safe_load(found[_MAIN])
            whole = merge(merge(base, json.loads(files[main])), config or {})
            files[main] = json.dumps(whole, indent=2)
        return {**found, **files}

    def _template(self) -> Object:
        template = super()._template()
        container = self._container(template)
        container["command"] = self._filled(self.implementation.argv)
        add_environment(container, self._filled(self.implementation.environment))
        return template
