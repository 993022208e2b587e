"""kube-proxy as kubeadm deploys it, with the suite's configuration laid over kubeadm's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from clusters.implementation import merge
from clusters.kind.node.daemonset import DaemonSetProxy, add_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from specification.services import Object

FOLDERS = {
    "directory": "/var/lib/kube-proxy",
    "kubeconfig": "/var/lib/kube-proxy/kubeconfig.conf",
}
"""Where kubeadm mounts the proxy's ConfigMap, as an implementation's file calls it."""

_MAIN = "config.conf"
"""Its entry that is kube-proxy's configuration."""


class KubeProxy(DaemonSetProxy):
    """kube-proxy in its pod on a kind node, run as the implementation's file says."""

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
