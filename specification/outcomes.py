"""Outcomes: what became of an attempt to open a connection, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from specification.addresses import IPAddress
from specification.attempts import Attempt, SocketAddress


@dataclass(frozen=True)
class Reply:
    """What came back to the client: an answer or a reset, and the source that the client saw."""

    kind: Literal["answer", "reset"]
    source: SocketAddress
    past_node: bool = False
    """Whether the network brought it to the client without the node: both are beyond its external
    wire, and the packet that is answered still had the client's own address."""

    def __str__(self) -> str:
        word = "answered" if self.kind == "answer" else "reset"
        return f"{word} from {self.source}{' past the node' if self.past_node else ''}"


@dataclass(frozen=True)
class Delivered:
    """The packet was translated and reached an endpoint."""

    endpoint: SocketAddress
    source: SocketAddress
    """Client address as the endpoint saw it."""
    wire: str
    """"node" where the endpoint is a process on the node itself (fixtures.clients.node_server)."""
    reply: Reply | None
    """``None`` where nothing came back to the client."""

    def __str__(self) -> str:
        seen = f"delivered to {self.endpoint} ({self.wire}), seen from {self.source}"
        return f"{seen}, {self.reply or 'not answered'}"


@dataclass(frozen=True)
class Rejected:
    """The client was refused, and nothing reached a lab host."""

    kind: Literal["port-unreachable", "unreachable", "reset", "at connect"]
    """By which ICMP error; by a TCP reset; or where a process connects, without a packet."""
    source: IPAddress
    """Who refused."""

    def __str__(self) -> str:
        return f"rejected ({self.kind}) by {self.source}"


@dataclass(frozen=True)
class PassedThrough:
    """The packet left the node with its destination untouched: the proxy did not capture it."""

    source: SocketAddress
    wire: str
    reply: Reply | None

    def __str__(self) -> str:
        seen = f"passed through ({self.wire}), seen from {self.source}"
        return f"{seen}, {self.reply or 'not answered'}"


@dataclass(frozen=True)
class AnsweredUnseen:
    """Nothing reached a lab host, and yet there is an answer: by somebody whom the lab does not
    see, such as another process on the node or a program in its kernel.
    """

    reply: Reply | None
    """``None`` where it came to somebody else than the client."""

    def __str__(self) -> str:
        return f"{self.reply or 'answered to somebody else'}, by somebody unseen"


@dataclass(frozen=True)
class Dropped:
    """Nothing reached a lab host and nothing came back."""

    def __str__(self) -> str:
        return "dropped"


Outcome = Delivered | Rejected | PassedThrough | AnsweredUnseen | Dropped


@dataclass(frozen=True)
class Probe(Attempt):
    """One attempt to open a connection, and everything seen of it on the wires."""

    outcome: Outcome

    @property
    def endpoint(self) -> SocketAddress | None:
        """The endpoint that it was delivered to."""
        return self.outcome.endpoint if isinstance(self.outcome, Delivered) else None

    @property
    def reply(self) -> Reply | None:
        """What came back from the endpoint, from the host addressed, or from somebody unseen."""
        return None if isinstance(self.outcome, Rejected | Dropped) else self.outcome.reply

    @property
    def source(self) -> SocketAddress | None:
        """The client as the endpoint, or a host beyond the node, saw it."""
        return self.outcome.source if isinstance(self.outcome, Delivered | PassedThrough) else None

    @property
    def answered(self) -> bool:
        """Whether an answer came, from the very address that the client had addressed."""
        reply = self.reply
        return reply is not None and (reply.kind, reply.source) == ("answer", self.target)

    @property
    def unserved(self) -> bool:
        """Whether no endpoint has got it, and nobody at all has answered."""
        taken = isinstance(self.outcome, Delivered | AnsweredUnseen)
        return not taken and self.reply is None

    def __str__(self) -> str:
        return f"{self.protocol} {self.client} -> {self.target}: {self.outcome}"
