"""Bringing up a run's kind clusters, one for each mode and all at once, and removing them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from clusters.build.cache import cache_folder, locked
from clusters.build.progress import Progress
from clusters.kind.cluster import configuration, delivery
from clusters.kind.cluster.configuration import KUBECTL, NODES
from clusters.kind.cluster.delivery import KUBEADMS, Delivered
from clusters.kind.docker.engine import Engine
from clusters.kind.image import build as image
from clusters.sandbox import INSIDE, die_with_parent
from specification.errors import ArtifactError, CannotJudgeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clusters.implementation import Deployment, Implementation

PREFIX = "kpc-"
"""What the names of all clusters of the suite begin with."""

_PATIENCE = 900  # seconds for one cluster, on a machine that is busy with several
_NETWORKS = Path("/etc/cni/net.d")
_LOOK = 0.5  # seconds between words about what is done


@dataclass(frozen=True)
class Kind:
    """The kind clusters of a run: name by mode, and the Docker that they are in."""

    host: str
    proc: str
    own: bool
    """Whether the Docker is the suite's."""
    clusters: dict[str, str]
    version: str
    """Of the proxy that came with them: kubeadm's is that of Kubernetes, as the node image says."""
    image: str
    """What it came with: the node image, or the image of the pods that a manifest describes."""
    sha256: str
    """Checksum of kube-proxy as it runs, or of that image."""

    @property
    def engine(self) -> Engine:
        """The Docker."""
        return Engine(self.host, Path(self.proc), own=self.own)

    def as_record(self) -> dict[str, Any]:
        """As values of JSON."""
        return asdict(self)

    @classmethod
    def of_record(cls, record: dict[str, Any]) -> Self:
        """What ``as_record`` has made JSON of."""
        return cls(**record)


@contextlib.contextmanager
def clusters(
    engine: Engine,
    node_image: str,
    implementation: Implementation,
    modes: Sequence[str],
    logs: Path,
) -> Iterator[Kind]:
    """The clusters of a run, for as long as the block lasts, with the proxy that is to be judged in
    them; ``logs`` is a folder for what kind tells of a cluster that could not be made.

    Raises ArtifactError with one line that says what failed.
    """
    program = image.kind()
    version = version_of(engine, node_image)
    names = {mode: f"{PREFIX}{os.environ[INSIDE]}-{mode}" for mode in modes}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kind-")))
        images = delivery.images(implementation, engine, folder)
        making = []
        for mode, name in names.items():
            lock = lock_of(name)
            stack.callback(lock.unlink, missing_ok=True)
            stack.enter_context(locked(lock, f"waiting: {name} is in use", None))
            described = configuration.cluster(
                "none" if implementation.kind else mode,
                version,
                lock,
                own_image=image.is_own(node_image),
                cgroup_v1=not Path("/sys/fs/cgroup/cgroup.controllers").exists(),
            )
            (folder / f"{name}.json").write_text(json.dumps(described))
            manifest = delivery.manifest(implementation, mode, name)
            proxy = _Proxy(implementation.kind or KUBEADMS, manifest, images)
            making.append(_Making(engine, program, name, mode, node_image, proxy, folder, logs))
        stack.callback(_remove, engine, program, list(names.values()))
        with Progress(f"creating kind clusters ({', '.join(modes)})") as step:
            _all(making, step)
        first = next(iter(names.values()))
        if implementation.kind:
            judged = delivery.delivered(implementation, engine, first)
        else:
            checksum = running_proxy(engine, configuration.worker(first))
            judged = Delivered(version, node_image, checksum)
        yield Kind(engine.host, str(engine.proc), engine.own, names, *judged)


def lock_of(name: str) -> Path:
    """The file that the run which uses the cluster ``name`` holds locked."""
    return cache_folder() / "kind" / "runs" / f"{name}.lock"


def version_of(engine: Engine, node_image: str) -> str:
    """The version of Kubernetes in a node image, such as ``v1.36.3``; it is pulled where it is not
    there.

    Raises ArtifactError where it cannot be had, or is no node image.
    """
    read = ["run", "--rm", "--network=none", "--entrypoint=cat", node_image, "/kind/version"]
    done = engine.docker(*read, check=False, timeout=_PATIENCE)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["nothing said"]
        said = next((line for line in lines if "rror" in line), lines[0])
        raise ArtifactError(
            f"the node image {node_image} cannot be had or is none ({said}): name another with"
            " --kind-image, or build one with ./conform kind-image"
        )
    return done.stdout.strip()


def running_proxy(engine: Engine, node: str) -> str:
    """The SHA-256 checksum of the kube-proxy that runs on a node; empty where none does."""
    read = "sha256sum /proc/$(pgrep -o -x kube-proxy)/exe"
    done = engine.docker("exec", node, "sh", "-c", read, check=False)
    return done.stdout.partition(" ")[0]


def _all(making: Sequence[_Making], step: Progress) -> None:
    """Make all clusters side by side; the first failure ends the others."""
    with ThreadPoolExecutor(len(making)) as pool:
        tasks = [pool.submit(one.make) for one in making]
        try:
            while waiting := wait(tasks, _LOOK, FIRST_EXCEPTION).not_done:
                step.update("; ".join(one.state for one in making))
                if any(task.exception() for task in tasks if task not in waiting):
                    break
        finally:
            for one in making:
                one.give_up()
    problems = [problem for task in tasks if (problem := task.exception())]
    for problem in sorted(problems, key=lambda problem: isinstance(problem, _GivenUpError)):
        raise problem


@dataclass(frozen=True)
class _Proxy:
    """What a cluster is to have as its Service proxy."""

    deployment: Deployment
    manifest: str
    """Empty where kubeadm deploys it."""
    images: Path | None
    """An archive of what nodes are not to pull."""


class _GivenUpError(CannotJudgeError):
    """The cluster is not wanted any more."""


class _Making:
    """One cluster while it is being made."""

    def __init__(
        self,
        engine: Engine,
        program: Path,
        name: str,
        mode: str,
        node_image: str,
        proxy: _Proxy,
        folder: Path,
        logs: Path,
    ) -> None:
        self.state = f"{mode}: begun"
        self._engine = engine
        self._kind = program
        self._name = name
        self._mode = mode
        self._image = node_image
        self._proxy = proxy
        self._log = folder / f"{name}.log"
        self._folder = folder
        self._kept = logs / name
        self._process: subprocess.Popen[bytes] | None = None
        self._given_up = False

    def make(self) -> None:
        """Make it and wait until its nodes are ready."""
        self._tell("kind creates it")
        self._run(
            self._kind,
            *("create", "cluster", f"--name={self._name}", f"--image={self._image}", "--retain"),
            *(f"--config={self._folder / self._name}.json", f"--kubeconfig={self._folder}/none"),
        )
        for position, role in enumerate(NODES):
            network = json.dumps(configuration.pod_network(position))
            write = f"mkdir -p {_NETWORKS} && cat > {_NETWORKS}/10-conformance.conflist"
            node = f"{self._name}-{role}"
            self._engine.docker("exec", "-i", node, "sh", "-c", write, input=network)
        self._tell("waiting for its nodes")
        node = configuration.control_plane(self._name)
        control_plane = ("docker", "exec", "-i", node, *KUBECTL)
        self._run(*control_plane, "wait", "--for=condition=Ready", "nodes", "--all", "--timeout=3m")
        if self._proxy.images:
            self._tell("loading images")
            self._run(
                self._kind, "load", "image-archive", self._proxy.images, f"--name={self._name}"
            )
        if self._proxy.manifest:
            applied = self._folder / f"{self._name}.yaml"
            applied.write_text(self._proxy.manifest)
            self._run(*control_plane, "apply", "--filename=-", stdin=applied)
        namespace, _, daemonset = self._proxy.deployment.daemonset.partition("/")
        self._tell(f"waiting for {daemonset}")
        rollout = ("rollout", "status", f"daemonset/{daemonset}", "--timeout=3m")
        try:
            self._run(*control_plane, f"--namespace={namespace}", *rollout)
        except ArtifactError as problem:
            trouble = delivery.trouble(self._engine, self._name, self._proxy.deployment)
            raise ArtifactError(f"{problem}; {daemonset}: {trouble}") from None
        self._tell("ready")

    def give_up(self) -> None:
        """End what is under way, and begin nothing else."""
        self._given_up = True
        if self._process:
            self._process.kill()

    def _tell(self, what: str) -> None:
        self.state = f"{self._mode}: {what}"

    def _run(self, *argv: str | Path, stdin: Path = Path(os.devnull)) -> None:
        with self._log.open("ab") as log, stdin.open("rb") as given:
            self._process = subprocess.Popen(
                argv,
                env={**os.environ, **self._engine.environment},
                stdin=given,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509  (nothing but a system call)
            )
            code: int | str
            try:
                code = self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
                code = f"no end after {_PATIENCE} s"
        if code and self._given_up:
            raise _GivenUpError
        if code:
            told = _error_in(self._log.read_text(errors="replace").splitlines())
            if isinstance(code, int) and code < 0:
                told = f"{Path(argv[0]).name} was ended by {signal.Signals(-code).name}"
            raise ArtifactError(
                f"the kind cluster for {self._mode} mode did not get ready: {told}"
                f" ({code}); its logs are in {self._keep()}"
            )

    def _keep(self) -> Path:
        """Put what can be known of the cluster into the folder of logs."""
        self._kept.mkdir(parents=True, exist_ok=True)
        shutil.copy(self._log, self._kept / "kind.log")
        subprocess.run(
            [self._kind, "export", "logs", self._kept, f"--name={self._name}"],
            env={**os.environ, **self._engine.environment},
            capture_output=True,
            timeout=120,
            check=False,
        )
        return self._kept


def _error_in(lines: Sequence[str]) -> str:
    """The line of a log that says most about what went wrong: kubeadm's, else kind's or kubectl's
    own, else the last.
    """
    for sign in ("error execution phase", "ERROR", "error:", "Error from server"):
        for line in lines:
            if sign in line:
                return line.strip()
    return lines[-1].strip() if lines else "it said nothing"


def _remove(engine: Engine, program: Path, names: Sequence[str]) -> None:
    """Remove clusters, or what there is of them."""

    def remove(name: str) -> None:
        subprocess.run(
            [program, "delete", "cluster", f"--name={name}", "--kubeconfig=/dev/null"],
            env={**os.environ, **engine.environment},
            capture_output=True,
            timeout=120,
            check=False,
        )

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(remove, names))
