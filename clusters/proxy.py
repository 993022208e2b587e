"""The proxy on a node: started, stopped, killed, restarted with another configuration, cleaned up
after.
"""

from __future__ import annotations

import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

from clusters.contract import Proxy
from clusters.implementation import EMULATED_SYNC_PERIOD, SYNC_PERIOD, Implementation, fill
from clusters.process import Daemon, answers
from specification.addresses import CLUSTER_CIDRS
from specification.errors import UnsupportedError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping, Sequence

    from clusters.contract import Node, System
    from specification.addresses import Family, IPAddress


_TIMEOUT = 60.0  # seconds for a command
_PATIENCE = 4  # times as long does an emulated node have, and it may be on a busy machine


class DescribedProxy(Proxy):
    """A proxy as far as its implementation's file alone describes it."""

    def __init__(
        self,
        implementation: Implementation,
        mode: str,
        system: System,
        values: Mapping[str, str],
        directory: Path,
    ) -> None:
        self.implementation = implementation
        self.mode = mode
        self.log = system.log
        self.directory = directory
        self.seconds_to_ready = 0.0
        self._system = system
        self._values = {**values, "mode": mode}

    @property
    def stepwise(self) -> bool:
        """See Proxy."""
        return self.implementation.modes[self.mode].stepwise

    @property
    def ended(self) -> str:
        """See Proxy: nobody can tell."""
        return ""

    def restart(self, config: Mapping[str, Any] | None = None) -> None:
        """See Proxy."""
        self.stop()
        self.start(config)

    def announce(self, pods: Sequence[Mapping[Family, IPAddress]]) -> None:
        """See Proxy: most see what is on a wire by what comes from there."""

    def metrics(self) -> dict[str, float]:
        """See Proxy."""
        url = self._filled(self.implementation.metrics)
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  (the implementation's)
            families = text_string_to_metric_families(answer.read().decode())
        samples = {}
        for family in families:
            for sample in family.samples:
                labels = ",".join(
                    f'{name}="{value}"' for name, value in sorted(sample.labels.items())
                )
                samples[f"{sample.name}{{{labels}}}" if labels else sample.name] = float(
                    sample.value
                )
        return samples

    def log_since(self, position: int) -> str:
        """See Proxy."""
        with self.log.open("rb") as log:
            log.seek(position)
            return log.read().decode(errors="replace")

    def log_position(self) -> int:
        """See Proxy."""
        return self.log.stat().st_size

    def modes_in_kernel(self) -> set[str]:
        """See Proxy."""
        return {
            name
            for name, mode in self.implementation.modes.items()
            if self._run(mode.present).returncode == 0
        }

    def rules(self, timeout: float = _TIMEOUT) -> str:
        """See Proxy."""
        return "\n".join(
            f"# {' '.join(command)}\n{done.stdout}{done.stderr}"
            for command in self.implementation.modes[self.mode].rules
            for done in [self._run(command, timeout)]
        )

    @property
    def _cleanup_command(self) -> list[str]:
        if not self.implementation.cleanup:
            raise UnsupportedError(f"{self.implementation.name} has no command that cleans up")
        return self.implementation.cleanup

    @property
    def _ready(self) -> Callable[[], bool]:
        ready = self._filled(self.implementation.ready)
        if not ready:
            return lambda: self.running
        if isinstance(ready, str):
            return answers(ready)
        return lambda: self._run(ready).returncode == 0

    def _run(self, argv: list[str], timeout: float = _TIMEOUT) -> subprocess.CompletedProcess[str]:
        return self._system.run(self._filled(argv), check=False, timeout=timeout)

    def _filled(self, template: Any) -> Any:
        return fill(template, self._values)


class Program(DescribedProxy):
    """A proxy that is a program of its own on the node."""

    def __init__(
        self,
        implementation: Implementation,
        mode: str,
        system: System,
        values: Mapping[str, str],
        kubeconfig: str,
    ) -> None:
        directory = system.log.parent
        super().__init__(implementation, mode, system, values, directory)
        self._values |= {"directory": str(directory), "kubeconfig": str(directory / "kubeconfig")}
        self._daemon: Daemon | None = None
        self._write("kubeconfig", kubeconfig)

    def __repr__(self) -> str:
        return f"<{self.implementation.name} in {self.mode} mode: {self._daemon or 'not started'}>"

    @property
    def running(self) -> bool:
        """See Proxy."""
        return self._daemon is not None and self._daemon.running

    @property
    def ended(self) -> str:
        """See Proxy."""
        return self._daemon.ended if self._daemon else ""

    @property
    def pid(self) -> int:
        """See Proxy."""
        if self._daemon is None:
            raise LookupError(f"{self!r} has no process")
        return self._daemon.pid

    def start(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        wrapper: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        ready: bool = True,
    ) -> None:
        """See Proxy."""
        asked = (config or {}).get("mode")
        self.mode = asked if asked in self.implementation.modes else self._values["mode"]
        for name, content in self.implementation.files_for(
            self._values, self._filled(config)
        ).items():
            self._write(name, content)
        argv = [*wrapper, *self._filled(self.implementation.argv)]
        whole = {**self._filled(self.implementation.environment), **(environment or {})}
        daemon = self._daemon = Daemon(
            f"{self.implementation.name} ({self.mode})",
            lambda: self._system.spawn(argv, whole),
            self.log,
        )
        if ready:
            self.seconds_to_ready = daemon.wait_ready(
                self._ready,
                self.implementation.ready_timeout * (_PATIENCE if self._system.emulated else 1),
            )

    def stop(self) -> None:
        """See Proxy."""
        if self._daemon:
            self._daemon.stop()

    def kill(self) -> None:
        """See Proxy."""
        if self._daemon:
            self._daemon.kill()

    close = kill

    def cleanup(self, timeout: float = _TIMEOUT) -> subprocess.CompletedProcess[str]:
        """See Proxy."""
        return self._run(self._cleanup_command, timeout)

    def _write(self, name: str, text: str) -> None:
        with self._system.open(self.directory / name, "w") as file:
            file.write(text)


def values_of(node: Node, server: str) -> dict[str, str]:
    """What an implementation's file may ask about a node and the API server's URL."""
    return {
        "node_name": node.name,
        "server": server,
        "management_address": node.management_address,
        "cluster_cidrs": ",".join(map(str, CLUSTER_CIDRS.values())),
        "node_ipv4": str(node.address("IPv4")),
        "node_ipv6": str(node.address("IPv6")),
        "min_sync_period": EMULATED_SYNC_PERIOD if node.system.emulated else SYNC_PERIOD,
    }
