"""How a proxy starts, or refuses to, under circumstances that a test makes up."""

from __future__ import annotations

import re
import shlex
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

from conformance.vocabulary import Node, StartError

Word = str | tuple[str, ...]
"""What a line has; of several, one of them."""

_DISABLED: Final = Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")


def claiming(node: Node, program: str, said: str) -> str:
    """A PATH of the node's on which ``program`` says that of its version, and does all else as it
    does.
    """
    return instead(node, program, "--version", f'echo "{said}"')


def instead(node: Node, program: str, arguments: str, does: str) -> str:
    """A PATH of the node's on which ``program``, where it is called with these arguments, does what
    a line for the shell says, and does all else as it does.
    """
    script = node.proxy.directory / program
    real, search = node.run(["sh", "-c", f"command -v {program}; echo $PATH"]).stdout.split()
    text = f"""#!/bin/sh
        case "$*" in
            "{arguments}") {does} ;;
            *) exec {real} "$@" ;;
        esac
    """
    node.write(script, text, 0o755)
    return search if search.startswith(f"{script.parent}:") else f"{script.parent}:{search}"


def in_front(node: Node, folder: Path, scripts: Mapping[str, str]) -> str:
    """A PATH of the node's on which these scripts for the shell, by name, stand in front of the
    programs of that name: REAL in a script is the path of that, and without one there is no script.
    They are in that folder, which has nothing else.
    """
    node.run(["rm", "-rf", str(folder)])
    node.run(["mkdir", str(folder)])
    for name, script in scripts.items():
        real = node.run(["sh", "-c", f"command -v {name}"], check=False).stdout.strip()
        if real or "REAL" not in script:
            node.write(folder / name, f"#!/bin/sh\n{script.replace('REAL', real)}", 0o755)
    return f"{folder}:{node.run(['sh', '-c', 'echo $PATH']).stdout.strip()}"


def search_path(node: Node, *failing: str) -> str:
    """A PATH on which these programs fail, whatever they are to do."""
    return in_front(node, node.proxy.directory / "failing", dict.fromkeys(failing, "exit 1\n"))


def hinderable(
    node: Node, *programs: str
) -> tuple[str, Callable[[str], AbstractContextManager[None]]]:
    """A PATH of the node's on which these programs, those of them that it has, can be hindered, and
    what does that in a block: ``"stalling"`` has them wait until it ends, ``"failing"`` has them do
    nothing and fail.
    """
    folder = node.proxy.directory / "hindered"
    script = f"""
        while [ -e {folder}/stalling ]; do sleep 0.1; done
        [ -e {folder}/failing ] && exit 1
        exec REAL "$@"
    """
    search = in_front(node, folder, dict.fromkeys(programs, script))

    @contextmanager
    def hinder(how: str) -> Iterator[None]:
        node.write(folder / how, "")
        try:
            yield
        finally:
            node.run(["rm", str(folder / how)])

    return search, hinder


def without_ipv6(node: Node) -> tuple[str, ...]:
    """What starts a program that is to see that IPv6 is disabled; nobody else sees it so: in a
    mount namespace of its own.
    """
    disabled = node.proxy.directory / "disable_ipv6"
    node.write(disabled, "1\n")
    cover = f'mount --bind {disabled} {_DISABLED} && exec "$@"'
    wrapper = ("unshare", "--mount", "--", "sh", "-c", cover, "sh")
    if node.run([*wrapper, "cat", str(_DISABLED)]).stdout != "1\n":
        raise RuntimeError("a program that is to see that IPv6 is disabled does not")
    return wrapper


def with_arguments(*arguments: str) -> tuple[str, ...]:
    """What starts a program with further arguments, after its own."""
    return "sh", "-c", f'exec "$@" {shlex.join(arguments)}', "sh"


def by_arguments(*arguments: str) -> tuple[str, ...]:
    """What starts a program with these arguments instead of its own."""
    return "sh", "-c", f'exec "$1" {shlex.join(arguments)}', "sh"


def field(by_type: str, by_file: str, said: str = "Invalid value") -> tuple[str, str]:
    """What is said of a field of the configuration, by its name in kube-proxy's own types, as
    releases before 1.38 give it, or by that in the file, as later ones do.

    Source: pkg/proxy/apis/config/validation/validation.go of either.
    """
    return f"{by_type}: {said}", f"{by_file}: {said}"


def assert_refuses(
    node: Node,
    *words: Word,
    configuration: dict[str, Any] | None = None,
    wrapper: Sequence[str] = (),
    **environment: str,
) -> None:
    """The proxy, started by ``wrapper`` with ``configuration`` and with ``environment`` besides
    its own, ends by itself, with an error whose line has all the words, and leaves no rules.
    """
    assert_ends(node, *words, configuration=configuration, wrapper=wrapper, environment=environment)
    assert node.proxy.modes_in_kernel() == set()


def assert_ends(
    node: Node,
    *words: Word,
    configuration: Mapping[str, Any] | None = None,
    wrapper: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> None:
    """The proxy, started so, ends by itself, with an error whose line has all the words."""
    position = node.proxy.log_position()
    refused = ""
    try:
        node.proxy.start(configuration, wrapper=wrapper, environment=environment)
    except StartError as problem:
        refused = str(problem)
    assert re.search(r"ended with exit code [1-9]", refused), refused or "it has started"
    log = node.proxy.log_since(position)
    wanted = [(word,) if isinstance(word, str) else word for word in words]
    named = (
        all(any(word in line for word in each) for each in wanted) for line in log.splitlines()
    )
    said = " and ".join(" or ".join(each) for each in wanted)
    assert any(named), f"no line of the log has {said}:\n{log}"


@contextmanager
def taken(node: Node, address: str, port: int) -> Iterator[None]:
    """A process on the node listens there (TCP) while the block runs."""
    domain = socket.AF_INET6 if ":" in address else socket.AF_INET
    with node.system.socket(domain, socket.SOCK_STREAM) as other:
        # connections of whoever listened there before may linger (RFC 9293, TIME-WAIT)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((address, port))
        other.listen(1)
        yield
