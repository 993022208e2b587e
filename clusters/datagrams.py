"""Many datagram sockets at once, as processes on a node have them: a step is taken by all of them
together, so that whoever uses a node from afar needs a journey for a step, and none for a socket.

A machine gets this module as text (clusters.vm.machine): it imports the standard library alone.
"""

import contextlib
import socket
from collections.abc import Callable
from typing import Any

_ERRORS = {socket.AF_INET: (0, 11), socket.AF_INET6: (41, 25)}  # IP_RECVERR, IPV6_RECVERR


def errors_of(end: socket.socket) -> tuple[bytes, ...]:
    """What the kernel has kept of the ICMP errors that have come to a socket: for each struct
    sock_extended_err of linux/errqueue.h, and the address of who sent it.
    """
    try:
        _, ancillary, _, _ = end.recvmsg(512, 512, socket.MSG_ERRQUEUE)
    except OSError:
        return ()
    return tuple(data for _, _, data in ancillary)


def keep_errors(end: socket.socket, family: int) -> None:
    """Have the kernel keep them."""
    level, option = _ERRORS[socket.AddressFamily(family)]
    end.setsockopt(level, option, 1)


class Datagrams:
    """A socket at an address for each of some ports, none of which blocks; a port of 0 is one that
    no other of them has.
    """

    def __init__(
        self,
        family: int,
        address: str,
        ports: tuple[int, ...],
        make: Callable[[int, int], Any] = socket.socket,
    ) -> None:
        self._sockets = []
        with contextlib.ExitStack() as stack:
            for port in ports:
                end = stack.enter_context(make(family, socket.SOCK_DGRAM))
                end.setblocking(False)
                keep_errors(end, family)
                if port:  # a free one would else be given to two datagram sockets at a time
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                end.bind((address, port))
                self._sockets.append(end)
            self._open = stack.pop_all()

    def ports(self) -> tuple[int, ...]:
        """The port of each."""
        return tuple(end.getsockname()[1] for end in self._sockets)

    def send(self, targets: tuple[tuple[str, int], ...], payloads: tuple[bytes, ...]) -> None:
        """Send one datagram from each; what refuses it at once is known later."""
        for end, target, payload in zip(self._sockets, targets, payloads, strict=True):
            with contextlib.suppress(PermissionError, ConnectionRefusedError):
                end.connect(target)
                end.send(payload)

    def received(self) -> tuple[tuple[str, tuple[bytes, ...]], ...]:
        """What has come to each: an ``answer``; that it is ``refused``, with what ``errors_of``
        tells; or nothing, ``""``.
        """
        return tuple(self._taken(end) for end in self._sockets)

    def close(self) -> None:
        """Close all of them."""
        self._open.close()

    @staticmethod
    def _taken(end: socket.socket) -> tuple[str, tuple[bytes, ...]]:
        try:
            end.recv(64)
        except BlockingIOError:
            return "", ()
        except ConnectionRefusedError:
            return "refused", errors_of(end)
        return "answer", ()
