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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

from clusters.build.cache import cache_folder, locked
from clusters.build.progress import Progress
from clusters.kind.cluster import configuration, delivery
from clusters.kind.cluster.configuration import KUBECTL, NODES
from clusters.kind.cluster.delivery import KUBEADMS
from clusters.kind.docker.engine import Engine
from clusters.kind.image import build as image
from clusters.program import Judged
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

    engine: Engine
    clusters: dict[str, str]
    judged: Judged
    """The proxy that came with them; kubeadm's has the version of Kubernetes."""

    def as_record(self) -> Any:
        """As values of JSON."""
        return msgspec.to_builtins(self, enc_hook=str)

    @classmethod
    def of_record(cls, record: Any) -> Self:
        """What ``as_record`` has made JSON of."""
        return msgspec.convert(record, cls, dec_hook=lambda _, text: Path(text))


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
            proxy = implementation.kind or KUBEADMS, manifest, images
            making.append(_Making(engine, program, name, mode, node_image, *proxy, folder, logs))
        stack.callback(_remove, engine, program, list(names.values()))
        with Progress(f"creating kind clusters ({', '.join(modes)})") as step:
            _all(making, step)
        first = next(iter(names.values()))
        if implementation.kind:
            judged = delivery.delivered(implementation, engine, first)
        else:
            checksum = running_proxy(engine, configuration.worker(first))
            judged = Judged(node_image, version, checksum)
        yield Kind(engine, names, judged)


def lock_of(name: str) -> Path:
    """The file that the run which uses the cluster ``name`` holds locked."""
    return cache_folder() / "kind" / "runs" / f"{name}.lock"


def version_of(engine: Engine, node_image: str) -> str:
    """The version of Kubernetes in a node image, such as ``v1.37.2``; it is pulled where it is not
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
                step.update("; ".join(f"{one.mode}: {one.state}" for one in making))
                if any(task.exception() for task in tasks if task not in waiting):
                    break
        finally:
            for one in making:
                one.give_up()
    problems = [problem for task in tasks if (problem := task.exception())]
    for problem in sorted(problems, key=lambda problem: isinstance(problem, _GivenUpError)):
        raise problem


class _GivenUpError(CannotJudgeError):
    """The cluster is not wanted any more."""


@dataclass
class _Making:
    """One cluster while it is being made by the program ``kind``."""

    engine: Engine
    kind: Path
    name: str
    mode: str
    image: str
    """The node image."""
    deployment: Deployment
    manifest: str
    """What deploys the Service proxy; empty where kubeadm does."""
    images: Path | None
    """An archive of what nodes are not to pull."""
    folder: Path
    """Where its configuration is, and its log comes to."""
    logs: Path
    state: str = "begun"
    process: subprocess.Popen[bytes] | None = None
    given_up: bool = False

    def __post_init__(self) -> None:
        self.log = self.folder / f"{self.name}.log"

    def make(self) -> None:
        """Make it and wait until its nodes are ready."""
        self.state = "kind creates it"
        self._run(
            self.kind,
            *("create", "cluster", f"--name={self.name}", f"--image={self.image}", "--retain"),
            *(f"--config={self.folder / self.name}.json", f"--kubeconfig={self.folder}/none"),
        )
        for position, role in enumerate(NODES):
            network = json.dumps(configuration.pod_network(position))
            write = f"mkdir -p {_NETWORKS} && cat > {_NETWORKS}/10-conformance.conflist"
            node = f"{self.name}-{role}"
            self.engine.docker("exec", "-i", node, "sh", "-c", write, input=network)
        self.state = "waiting for its nodes"
        node = configuration.control_plane(self.name)
        control_plane = ("docker", "exec", "-i", node, *KUBECTL)
        self._run(*control_plane, "wait", "--for=condition=Ready", "nodes", "--all", "--timeout=3m")
        if self.images:
            self.state = "loading images"
            self._run(self.kind, "load", "image-archive", self.images, f"--name={self.name}")
        if self.manifest:
            applied = self.folder / f"{self.name}.yaml"
            applied.write_text(self.manifest)
            self._run(*control_plane, "apply", "--filename=-", stdin=applied)
        namespace, _, daemonset = self.deployment.daemonset.partition("/")
        self.state = f"waiting for {daemonset}"
        rollout = ("rollout", "status", f"daemonset/{daemonset}", "--timeout=3m")
        try:
            self._run(*control_plane, f"--namespace={namespace}", *rollout)
        except ArtifactError as problem:
            trouble = delivery.trouble(self.engine, self.name, self.deployment)
            raise ArtifactError(f"{problem}; {daemonset}: {trouble}") from None
        self.state = "ready"

    def give_up(self) -> None:
        """End what is under way, and begin nothing else."""
        self.given_up = True
        if self.process:
            self.process.kill()

    def _run(self, *argv: str | Path, stdin: Path = Path(os.devnull)) -> None:
        with self.log.open("ab") as log, stdin.open("rb") as given:
            self.process = subprocess.Popen(
                argv,
                env=self.engine.environment,
                stdin=given,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509  (nothing but a system call)
            )
            code: int | str
            try:
                code = self.process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                code = f"no end after {_PATIENCE} s"
        if code and self.given_up:
            raise _GivenUpError
        if code:
            told = _error_in(self.log.read_text(errors="replace").splitlines())
            if isinstance(code, int) and code < 0:
                told = f"{Path(argv[0]).name} was ended by {signal.Signals(-code).name}"
            raise ArtifactError(
                f"the kind cluster for {self.mode} mode did not get ready: {told}"
                f" ({code}); its logs are in {self._keep()}"
            )

    def _keep(self) -> Path:
        """Put what can be known of the cluster into the folder of logs; where in it."""
        kept = self.logs / self.name
        kept.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.log, kept / "kind.log")
        _tell(self.engine, self.kind, "export", "logs", kept, f"--name={self.name}")
        return kept


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
    words = "delete", "cluster", "--kubeconfig=/dev/null"
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: _tell(engine, program, *words, f"--name={name}"), names))


def _tell(engine: Engine, program: Path, *words: str | Path) -> None:
    """Have ``kind`` do something, as far as it can."""
    subprocess.run(
        [program, *words],
        env=engine.environment,
        capture_output=True,
        timeout=120,
        check=False,
    )
