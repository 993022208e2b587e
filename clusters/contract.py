"""What tests run on, as a contract: whoever keeps it can be judged by the suite.

``clusters.embedded``, ``clusters.vm``, ``clusters.kind`` and ``clusters.simulated`` keep it side by
side. All of them raise NetworkError, NodeError or StartError (specification.errors) where something
cannot be brought up.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import socket
    import subprocess
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from clusters.api import Api
    from clusters.implementation import Implementation
    from clusters.inspection.host import Host
    from clusters.sockets import Datagrams, Streams
    from clusters.wires import Wire
    from specification.addresses import Family, IPAddress


class Substrate(Protocol):
    """What clusters are made on."""

    def cluster(self, mode: str) -> Cluster:
        """The cluster in which nodes of that mode are; it is up until ``close``."""

    def close(self) -> None:
        """Take all clusters down; nodes are closed by whoever asked for them."""


class Cluster(Protocol):
    """One Kubernetes API, for nodes of one mode."""

    @property
    def api(self) -> Api:
        """Its API server."""

    @property
    def others(self) -> Sequence[System]:
        """Nodes that have a proxy too, which is left in peace; the lab's nodes have none."""

    def node(self) -> Node:
        """Bring up a node under test; its proxy is there, for the caller to start."""


class Node(Protocol):
    """A node under test: a system with a proxy, and wires to the lab."""

    name: str
    management_address: str
    """Where the proxy's own ports are asked, from the sandbox."""

    @property
    def wires(self) -> Mapping[str, Wire]:
        """To the lab: ``pod``, and ``external`` for everything else: other nodes and their pods,
        the router, the world outside.
        """

    @property
    def system(self) -> System:
        """What it is made of."""

    @property
    def proxy(self) -> Proxy:
        """The proxy on it."""

    @property
    def host(self) -> Host:
        """A testinfra host: what is inside."""

    def address(self, family: Family) -> IPAddress:
        """Its InternalIP."""

    def run(
        self,
        argv: Sequence[str],
        *,
        check: bool = True,
        input: str | None = None,  # noqa: A002
        timeout: float = 60.0,
    ) -> subprocess.CompletedProcess[str]:
        """See System."""

    def read(self, path: str | Path) -> str:
        """The text of a file on the node, one of /proc or /sys too."""

    def write(self, path: str | Path, text: str, mode: int | None = None) -> None:
        """Write a file on the node, one of /proc or /sys too, with the permissions ``mode``."""

    def forget_connections(self) -> None:
        """Empty its conntrack."""

    def check_losses(self) -> None:
        """Raise WireError if a link or ring of ours has dropped a frame since the last check."""

    def close(self) -> None:
        """End the proxy and remove the node, or give it back as it was found."""


class System(Protocol):
    """A network stack with programs on it, here or elsewhere, and the means to use it."""

    name: str
    host: Host
    """A testinfra host: what is inside."""
    log: Path
    """Where everything is written that programs started by ``spawn`` print."""

    @property
    def description(self) -> Mapping[str, str]:
        """What it is, for the report: kind, kernel and, where there is one, accelerator."""

    @property
    def emulated(self) -> bool:
        """Whether its processor is: then its times are not comparable with those of others."""

    @property
    def keeps_order(self) -> bool:
        """Whether what its links hand on comes in the order in which it was sent, over all of them:
        each card of a machine has a time of its own.
        """

    @property
    def addresses(self) -> Mapping[Family, IPAddress]:
        """Its InternalIPs."""

    def run(
        self,
        argv: Sequence[str],
        *,
        check: bool = True,
        input: str | None = None,  # noqa: A002  (subprocess.run's word for it)
        timeout: float = 60.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, in ``timeout`` seconds; ``CalledProcessError`` where it fails
        and ``check`` holds.
        """

    def spawn(self, argv: Sequence[str], environment: Mapping[str, str]) -> Process:
        """Start a program with ``environment`` besides its own; OSError where there is none."""

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket on this network stack."""

    def datagrams(self, family: int, address: str, ports: Sequence[int]) -> Datagrams:
        """A datagram socket on this network stack for each of these ports (0: any), to be used all
        at once.
        """

    def streams(
        self, family: int, address: str, targets: Sequence[tuple[str, int]], ports: Sequence[int]
    ) -> Streams:
        """A TCP socket on this network stack for each of these targets, which it connects to, to be
        used all at once. They have the first of these ``ports`` that are free; OSError where too
        few are.
        """

    def open(self, path: str | Path, mode: str = "r") -> IO[str]:
        """Open a text file as a program here sees it, those of /proc included."""

    def program(self, path: Path) -> Path:
        """Where a program of the machine that the suite runs on, and that the system was made with,
        is here.
        """

    def enter_command(self) -> str:
        """The command that opens a shell, from inside the sandbox."""

    def check(self) -> None:
        """Raise NodeError where it has ended."""

    def close(self) -> None:
        """Remove it with everything on it."""


class Proxy(Protocol):
    """One implementation on one node, in one mode."""

    implementation: Implementation
    mode: str
    """That of its last start: another than at first where its configuration named one."""
    log: Path
    """Everything the proxy has printed, over all its starts."""
    directory: Path
    """Where files can be put on the node that the proxy, too, sees there."""
    seconds_to_ready: float
    """How long the last start took."""

    @property
    def stepwise(self) -> bool:
        """See ``Mode.stepwise``."""

    @property
    def running(self) -> bool:
        """Whether the program runs."""

    @property
    def ended(self) -> str:
        """How the program has ended by itself since its last start, with the end of its log; empty
        where it has not, or nobody can tell.
        """

    @property
    def pid(self) -> int:
        """Its process id where it runs; ``LookupError`` where it was never started."""

    def start(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        wrapper: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        ready: bool = True,
    ) -> None:
        """Start the proxy and wait until it is ready, unless ``ready=False``; ``config`` is merged
        into its configuration file. For this start, ``wrapper`` is the command that starts it, and
        it has ``environment`` besides its own.

        Raises:
            StartError: it ended, or was not ready in time; the message shows the end of its log.
            ImplementationError: ``config`` is given but the implementation has no such file.
            UnsupportedError: the node has no ``wrapper``, or no command that it could start.
        """

    def stop(self) -> None:
        """Ask the proxy to end, as a node does at shutdown; rules stay, as they do there."""

    def kill(self) -> None:
        """End the proxy at once (SIGKILL)."""

    def restart(self, config: Mapping[str, Any] | None = None) -> None:
        """Stop the proxy and start it again, with ``config`` merged into its configuration."""

    def cleanup(self, timeout: float = ...) -> subprocess.CompletedProcess[str]:
        """Run the implementation's cleanup command on the node and return what it printed; it is
        given up, with an error, after ``timeout`` seconds.

        Raises UnsupportedError where the implementation has none.
        """

    def close(self) -> None:
        """Undo what was done: end what was started, have whoever started it before do so again."""

    def announce(self, pods: Sequence[Mapping[Family, IPAddress]]) -> None:
        """Tell the proxy of pods that are on its node from now on, where it has to be told of each
        (``Implementation.pods``).
        """

    def metrics(self) -> dict[str, float]:
        """All samples of the metrics endpoint, keyed ``name`` or ``name{label="value",...}``
        (labels sorted).
        """

    def log_since(self, position: int) -> str:
        """The log's text from byte ``position`` on."""

    def log_position(self) -> int:
        """The log's length in bytes now."""

    def modes_in_kernel(self) -> set[str]:
        """The implementation's modes that have programmed this node's kernel, by their ``present``
        commands.
        """

    def rules(self, timeout: float = ...) -> str:
        """What is programmed now, as the mode's ``rules`` commands print it: evidence, not
        judgement. Each is given up, with ``subprocess.TimeoutExpired``, after ``timeout`` seconds.
        """


class Process(Protocol):
    """A program that runs, here or on a node: what of ``subprocess.Popen`` is needed of it."""

    @property
    def pid(self) -> int:
        """Process id where it runs."""

    def poll(self) -> int | None:
        """Exit code, negative for a signal; ``None`` while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; ``subprocess.TimeoutExpired`` after ``timeout`` seconds."""

    def terminate(self) -> None:
        """Ask it to end (SIGTERM)."""

    def kill(self) -> None:
        """End it and its children at once (SIGKILL)."""
