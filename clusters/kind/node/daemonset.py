"""A Service proxy that a DaemonSet runs: its pod on one node is started, stopped, killed and
configured, and those on other nodes are left in peace.

The DaemonSet is told to replace pods only where they are deleted. Where it is configured by a
ConfigMap, its template then leads to one of the suite's, new with every start so that no kubelet
can know an older one; and it keeps away from nodes with a label of the suite's: whoever wants the
proxy stopped puts that on the node.
"""

from __future__ import annotations

import copy
import itertools
import json
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import yaml

from clusters.implementation import merge
from clusters.kind.node.container import DIRECTORY
from clusters.kind.node.pods import LOOK, PodLog, first_process, run_to_end, state_of
from clusters.process import POLL
from clusters.proxy import DescribedProxy
from specification.errors import ImplementationError, RefusedError, StartError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from clusters.api import Api
    from clusters.implementation import Deployment, Implementation
    from clusters.kind.node.container import Container
    from specification.services import Object

STOPPED = "kube-proxy-conformance/stopped"
"""Label of a node that is to have no proxy."""

_NOTE = "kube-proxy-conformance/before"
"""Annotation of a DaemonSet that is not as it was found."""

_CONFLICT = 409
_NO_PROGRAM = re.compile(r'exec: \\?"(\S+?)\\?": executable file not found')
_GONE = 60.0  # seconds after which a pod that was to end is an error
_LINES = 12


class DaemonSetProxy(DescribedProxy):
    """The pod of a deployment's DaemonSet on a kind node."""

    def __init__(
        self,
        implementation: Implementation,
        mode: str,
        system: Container,
        values: Mapping[str, str],
        api: Api,
        deployment: Deployment,
    ) -> None:
        super().__init__(implementation, mode, system, values, DIRECTORY)
        self._values.setdefault("binary", deployment.binary)
        self._node = system
        self._root = system.process / "root"
        """The node's files, as they are seen from here."""
        self._api = api
        self._namespace, _, self._name = deployment.daemonset.partition("/")
        self._configured_by = deployment.configmap
        self._before = self._found()
        """What of the DaemonSet's specification is going to be changed, as it was found."""
        self._container_name = str(self._container(self._before["template"])["name"])
        """What the manifest calls the container that is the proxy."""
        self._numbers = itertools.count(1)
        self._configmap = ""
        self._pod: Object | None = None
        self._log: PodLog | None = None
        self._pid = 0

    def __repr__(self) -> str:
        state = f"pid {self._pid}" if self.running else "not running"
        return f"<{self.implementation.name} in {self.mode} mode on {self._node.name}: {state}>"

    @property
    def running(self) -> bool:
        """See Proxy."""
        return bool(self._pid) and (self._root / f"proc/{self._pid}/exe").exists()

    @property
    def pid(self) -> int:
        """See Proxy."""
        if not self._pid:
            raise LookupError(f"{self!r} has no process")
        return self._pid

    def start(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        wrapper: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        ready: bool = True,
    ) -> None:
        """See Proxy."""
        began = time.monotonic()
        self._keep_away()  # from a DaemonSet that still runs it
        self._write_configuration(config)
        self._set_template(self._started_by(wrapper, environment or {}))
        self._api.patch("nodes", self._node.name, {"metadata": {"labels": {STOPPED: None}}})
        deadline = began + self.implementation.ready_timeout
        self._wait(self._find_pod, deadline, "has no pod on the node")
        self._wait(self._find_process, deadline, "has not started")
        if ready:
            self._wait(self._ready, deadline, "was not ready")
            self.seconds_to_ready = time.monotonic() - began

    def stop(self) -> None:
        """See Proxy."""
        self._keep_away()

    def kill(self) -> None:
        """See Proxy."""
        if not self.running:
            self._keep_away()
            return
        # The kubelet would start at once what ends by itself: so the proxy stands still from here,
        # and is killed when the kubelet has begun to end its pod, and has asked it to end.
        self._signal("STOP")
        self._send_away()
        self._wait_for_end(self._asked_to_end)
        self._signal("KILL")
        self._keep_away()

    def cleanup(self, timeout: float = _GONE) -> subprocess.CompletedProcess[str]:
        """See Proxy."""
        argv = self._filled(self._cleanup_command)
        template = self._template()
        container = self._container(template)
        container["command"] = argv
        for key in ("args", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle"):
            container.pop(key, None)
        spec = {**template["spec"], "restartPolicy": "Never", "nodeName": self._node.name}
        spec.pop("affinity")
        name = f"{self._name}-cleanup-{next(self._numbers)}"
        body = {"metadata": {"name": name, "namespace": self._namespace}, "spec": spec}
        code, printed = run_to_end(self._api, self._root, body, timeout)
        return subprocess.CompletedProcess(argv, code, printed, "")

    def log_since(self, position: int) -> str:
        """See Proxy."""
        self._collect()
        return super().log_since(position)

    def log_position(self) -> int:
        """See Proxy."""
        self._collect()
        return super().log_position()

    def close(self) -> None:
        """Have the DaemonSet run as it was found."""
        self._collect()
        self._forget_pod()
        self._set_template(self._before["template"], self._before["updateStrategy"])
        self._api.patch("nodes", self._node.name, {"metadata": {"labels": {STOPPED: None}}})
        self._forget_configuration()
        note = {"metadata": {"annotations": {_NOTE: None}}}
        self._api.patch("daemonsets", self._name, note, self._namespace)

    # --- the objects ------------------------------------------------------------------------------

    def _found(self) -> Object:
        """The DaemonSet's template and update strategy as they are, noted there for a run that
        comes after one that was killed.
        """
        daemonset = self._api.get("daemonsets", self._name, self._namespace)
        noted = daemonset["metadata"].get("annotations", {}).get(_NOTE)
        if noted:
            before: Object = json.loads(noted)
            return before
        before = {key: daemonset["spec"][key] for key in ("template", "updateStrategy")}
        note = {"metadata": {"annotations": {_NOTE: json.dumps(before)}}}
        self._api.patch("daemonsets", self._name, note, self._namespace)
        return before

    def _write_configuration(self, config: Mapping[str, Any] | None) -> None:
        """Make the ConfigMap of the next start."""
        found = {}
        if self._configured_by:
            found = self._api.get("configmaps", self._configured_by, self._namespace)["data"]
        files = self._files(found, self._filled(config))
        if not self._configured_by:
            return
        self._forget_configuration()
        self._configmap = f"{self._name}-{next(self._numbers)}-conformance"
        body = {"metadata": {"name": self._configmap}, "data": files}
        self._api.create("configmaps", body, self._namespace)

    def _files(self, found: dict[str, str], config: Mapping[str, Any] | None) -> dict[str, str]:
        """The files of the configuration, made from those that were ``found``; raises
        ImplementationError where a test's ``config`` cannot be merged into them.
        """
        main = self.implementation.config
        if not config:
            return found
        if main not in found:
            raise ImplementationError(
                f"{self.implementation.name} has no config file on kind nodes that a test could"
                f" vary ({self.implementation.path}, [kind] configmap)"
            )
        return {**found, main: json.dumps(merge(yaml.safe_load(found[main]), config), indent=2)}

    def _forget_configuration(self) -> None:
        if self._configmap:
            self._api.delete("configmaps", self._configmap, self._namespace)
            self._configmap = ""

    def _template(self) -> Object:
        """The pod template for the node under test: as it was found, with the suite's folder and
        configuration.
        """
        template: Object = copy.deepcopy(self._before["template"])
        spec, container = template["spec"], self._container(template)
        for volume in spec.setdefault("volumes", []):
            if volume.get("configMap", {}).get("name") == self._configured_by and self._configmap:
                volume["configMap"]["name"] = self._configmap
        place = {"name": "conformance", "hostPath": {"path": str(DIRECTORY)}}
        spec["volumes"].append(place)
        mount = {"name": "conformance", "mountPath": str(DIRECTORY)}
        container.setdefault("volumeMounts", []).append(mount)
        nodes = spec.setdefault("affinity", {}).setdefault("nodeAffinity", {})
        required = "requiredDuringSchedulingIgnoredDuringExecution"
        for term in nodes.setdefault(required, {"nodeSelectorTerms": [{}]})["nodeSelectorTerms"]:
            away = {"key": STOPPED, "operator": "DoesNotExist"}
            term.setdefault("matchExpressions", []).append(away)
        spec["terminationGracePeriodSeconds"] = 5
        return template

    def _started_by(self, wrapper: Sequence[str], environment: Mapping[str, str]) -> Object:
        """The pod template, with a command in front of the proxy's."""
        template = self._template()
        container = self._container(template)
        add_environment(container, environment)
        if wrapper:
            if not container.get("command"):
                raise UnsupportedError(f"the manifest of {self._name} names no command to wrap")
            container["command"] = [*wrapper, *container["command"]]
        return template

    def _set_template(self, template: Object, strategy: Object | None = None) -> None:
        """Have the DaemonSet use a template for the pods that it makes from now on."""
        while True:
            found = self._api.get("daemonsets", self._name, self._namespace)
            found["spec"]["template"] = template
            found["spec"]["updateStrategy"] = strategy or {"type": "OnDelete"}
            try:
                written = self._api.replace("daemonsets", found, self._namespace)
                break
            except RefusedError as problem:
                if problem.status != _CONFLICT:  # its controller wrote the status meanwhile
                    raise
        generation = written["metadata"]["generation"]
        deadline = time.monotonic() + _GONE
        while True:  # else its controller may make the pod from an older one
            status = self._api.get("daemonsets", self._name, self._namespace)["status"]
            if status.get("observedGeneration", 0) >= generation:
                return
            if time.monotonic() > deadline:
                raise StartError(f"the DaemonSet {self._name} is not looked at by its controller")
            time.sleep(LOOK)

    def _container(self, template: Object) -> dict[str, Any]:
        container: dict[str, Any] = template["spec"]["containers"][0]
        return container

    # --- the pod ----------------------------------------------------------------------------------

    def _keep_away(self) -> None:
        """End the pod on the node, and have none made; return when it has ended."""
        self._send_away()
        self._wait_for_end(lambda: not self._pods())
        self._collect()
        self._forget_pod()

    def _send_away(self) -> None:
        """Have the pod on the node ended, and none made anew."""
        self._set_template(self._template())  # which may not know the label yet
        self._api.patch("nodes", self._node.name, {"metadata": {"labels": {STOPPED: "true"}}})

    def _wait_for_end(self, ended: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _GONE
        while not ended():
            if not self.running:  # its log goes with the pod
                self._collect()
            if time.monotonic() > deadline:
                raise StartError(f"the pod of {self._name} on {self._node.name} does not end")
            time.sleep(LOOK)

    def _asked_to_end(self) -> bool:
        """Whether a SIGTERM waits for the proxy, which stands still; or it has ended."""
        try:
            status = (self._root / f"proc/{self._pid}/status").read_text()
        except OSError:
            return True
        pending = re.search(r"^ShdPnd:\s*([0-9a-f]+)$", status, re.MULTILINE)
        return pending is not None and bool(int(pending[1], 16) >> (signal.SIGTERM - 1) & 1)

    def _signal(self, name: str) -> None:
        self._node.run(["kill", f"-{name}", str(self._pid)], check=False)  # it may have ended

    def _pods(self) -> list[Object]:
        labels = self._before["template"]["metadata"]["labels"]
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        fields = f"spec.nodeName={self._node.name}"
        return self._api.list_all("pods", self._namespace, selector, fields)

    def _find_pod(self) -> bool:
        pods = self._pods()
        if pods:
            self._forget_pod()
            self._pod = pods[0]
            self._log = PodLog(self._root, self._pod, self._container_name)
        return bool(pods)

    def _forget_pod(self) -> None:
        if self._log:
            self._log.close()
        self._pod, self._log, self._pid = None, None, 0

    def _find_process(self) -> bool:
        if self._pod is not None:
            self._pid = first_process(self._root, self._pod, self._container_name)
        return self.running

    def _wait(self, ready: Callable[[], bool], deadline: float, complaint: str) -> None:
        """Wait until ``ready()``; raises StartError where the container ends, or after the
        ``deadline``.
        """
        looked = time.monotonic()
        while not ready():
            if time.monotonic() - looked > 4 * LOOK:
                looked = time.monotonic()
                self._complain_of_end()
            if time.monotonic() > deadline:
                complaint = f"{complaint} after {self.implementation.ready_timeout} s"
                self._give_up(complaint)
            time.sleep(POLL)

    def _complain_of_end(self) -> None:
        if self._pod is None:
            return
        try:
            pod = self._api.get("pods", self._pod["metadata"]["name"], self._namespace)
        except RefusedError:
            return
        name = self._container_name
        for state in (state_of(pod, name), state_of(pod, name, "lastState")):
            if "terminated" in state:
                ended = state["terminated"]
                missing = _NO_PROGRAM.search(ended.get("message", ""))
                if missing:
                    self._keep_away()
                    raise UnsupportedError(f"the proxy's image has no {missing[1]}")
                code = ended["exitCode"]
                self._give_up(f"ended with exit code {code} before it was ready")

    def _give_up(self, complaint: str) -> None:
        """Raise StartError, with the pod away: it would only start and end again."""
        position = super().log_position()
        self._keep_away()
        lines = "\n".join(super().log_since(position).splitlines()[-_LINES:])
        what = f"{self.implementation.name} ({self.mode})"
        raise StartError(f"{what} {complaint}; the end of its log:\n{lines}")

    def _collect(self) -> None:
        """Add to our log what the pod has printed since; its own goes with it."""
        if self._log and (new := self._log.new()):
            with self.log.open("ab") as log:
                log.write(new)


def add_environment(container: dict[str, Any], environment: Mapping[str, str]) -> None:
    """Have a pod template's container started with these variables besides its own."""
    variables = ({"name": name, "value": value} for name, value in environment.items())
    container.setdefault("env", []).extend(variables)
