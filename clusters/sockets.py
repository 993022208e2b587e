"""Many sockets at once, as processes on a node have them: a step is taken by all of them together,
so that whoever uses a node from afar needs a journey for a step, and none for a socket.

A machine gets this module as text (clusters.vm.machine): it imports the standard library alone.
"""

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Any

_ERRORS = {socket.AF_INET: (0, 11), socket.AF_INET6: (41, 25)}  # IP_RECVERR, IPV6_RECVERR
_ROOM = 4096  # bytes that are taken of what has come


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


def bind_to_free(end: socket.socket, address: str, ports: Iterable[int]) -> int:
    """Bind a socket to the first of these ports that no other has at the address; which it is.

    Raises:
        OSError: all of them are in use.
    """
    for port in ports:
        try:
            end.bind((address, port))
        except OSError as problem:
            if problem.errno != errno.EADDRINUSE:
                raise
        else:
            return port
    raise OSError(errno.EADDRINUSE, f"none of the ports is free at {address}")


_BEGUN = (0, errno.EINPROGRESS, errno.ECONNREFUSED, errno.EHOSTUNREACH)
"""What connect(2) says where it has begun, or where somebody says at once that nobody serves it."""


class _Sockets:
    """Some sockets, none of which blocks."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        self._open = contextlib.ExitStack()

    def _add(self, end: socket.socket, family: int) -> None:
        self._open.enter_context(end)
        end.setblocking(False)
        keep_errors(end, family)
        self._sockets.append(end)

    def ports(self) -> tuple[int, ...]:
        """The port of each."""
        return tuple(end.getsockname()[1] for end in self._sockets)

    def received(self) -> tuple[tuple[str, tuple[bytes, ...]], ...]:
        """What has come to each: an ``answer``; that it is ``refused``, with what ``errors_of``
        tells; or nothing, ``""``.
        """
        return tuple(self._taken(end) for end in self._sockets)

    def close(self) -> None:
        """Close all of them."""
        self._open.close()

    def _taken(self, end: socket.socket) -> tuple[str, tuple[bytes, ...]]:
        raise NotImplementedError


class Datagrams(_Sockets):
    """A datagram socket at an address for each of some ports; a port of 0 is one that no other of
    them has.
    """

    def __init__(
        self,
        family: int,
        address: str,
        ports: tuple[int, ...],
        make: Callable[[int, int], Any] = socket.socket,
    ) -> None:
        super().__init__()
        self._turned_away: set[socket.socket] = set()
        with self._open as stack:
            for port in ports:
                end = make(family, socket.SOCK_DGRAM)
                self._add(end, family)
                if port:  # a free one would else be given to two datagram sockets at a time
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                end.bind((address, port))
            self._open = stack.pop_all()

    def send(self, targets: tuple[tuple[str, int], ...], payloads: tuple[bytes, ...]) -> None:
        """Send one datagram from each; what refuses it at once is known later."""
        for end, target, payload in zip(self._sockets, targets, payloads, strict=True):
            with contextlib.suppress(PermissionError, ConnectionRefusedError):
                if self._connects(end, target):
                    end.send(payload)

    def _connects(self, end: socket.socket, target: tuple[str, int]) -> bool:
        """Whether nobody stands between a socket and a target: a program that translates where
        processes connect says there that nobody serves it (EHOSTUNREACH, without a packet).
        """
        try:
            end.connect(target)
        except OSError as problem:
            if problem.errno != errno.EHOSTUNREACH:
                raise
            self._turned_away.add(end)
            return False
        return True

    def _taken(self, end: socket.socket) -> tuple[str, tuple[bytes, ...]]:
        if end in self._turned_away:
            return "refused", ()
        try:
            end.recv(_ROOM)
        except BlockingIOError:
            return "", ()
        except ConnectionRefusedError:
            return "refused", errors_of(end)
        return "answer", ()


class Streams(_Sockets):
    """A TCP socket at an address for each of some targets, which it begins to connect to; all of
    them reset their connections when they are closed. One that was refused at first, or was reset,
    is told as ``refused`` from then on. Their ports are the first of ``ports`` that are free.
    """

    def __init__(
        self,
        family: int,
        address: str,
        targets: tuple[tuple[str, int], ...],
        ports: tuple[int, ...],
    ) -> None:
        super().__init__()
        free = iter(ports)
        with self._open as stack:
            for target in targets:
                end = socket.socket(family, socket.SOCK_STREAM)
                self._add(end, family)
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                bind_to_free(end, address, free)
                result = end.connect_ex(target)
                if result not in _BEGUN:
                    raise OSError(result, os.strerror(result))
            self._open = stack.pop_all()

    def send(self, payloads: tuple[bytes, ...]) -> None:
        """Have each that is connected send something."""
        for end, payload in zip(self._sockets, payloads, strict=True):
            with contextlib.suppress(OSError):
                end.send(payload)

    def _taken(self, end: socket.socket) -> tuple[str, tuple[bytes, ...]]:
        try:
            if end.recv(_ROOM):
                return "answer", ()
        except BlockingIOError:
            # An ICMP error that comes while connect() or send() still holds the socket ends
            # nothing: it is to be asked for (tcp_v4_err, sk_err_soft).
            if not end.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                return "", ()
        except OSError:
            pass
        return "refused", errors_of(end)
