"""What a proxy uses up, the programs that it starts (nft, iptables-restore) among it."""

from __future__ import annotations

import contextlib
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.machine import TICKS, process_ticks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from clusters.contract import Node

_LOOK: Final = 0.05  # seconds between looks at the memory of programs that come and go


def cpu_seconds(node: Node) -> float:
    """Seconds of processor time that the proxy and its ended children have used since its start;
    to 10 ms.
    """
    return process_ticks(node.read(f"/proc/{node.proxy.pid}/stat")) / TICKS


def peak_memory(node: Node, pid: int) -> float:
    """The largest resident memory that a process has had, in MiB (VmHWM of proc(5), status)."""
    found = re.search(r"^VmHWM:\s+(\d+) kB", node.read(f"/proc/{pid}/status"), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


class ToolMemory:
    """Looks, while the block runs, for the largest resident memory of any program that the proxy
    has started, in MiB; the last moments of a program may be missed. Only on nodes that are
    namespaces: what runs in a machine is not seen from here, and the peak stays 0.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="tool memory")
        self.peak = 0.0

    def __enter__(self) -> Self:
        if self._node.system.description["kind"] == "netns":
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(_LOOK):
            # the proxy may not have started yet, and what it has started may have ended
            with contextlib.suppress(OSError, LookupError):
                pid = self._node.proxy.pid
                proxy = Path(f"/proc/{pid}/exe").readlink()
                for child in self._children(pid):
                    # between fork and exec it is but the proxy once more
                    if Path(f"/proc/{child}/exe").readlink() != proxy:
                        self.peak = max(self.peak, peak_memory(self._node, child))

    def _children(self, pid: int) -> Iterator[int]:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield int(child)


def rules(text: str) -> int:
    """How many rules and elements a listing of a mode's own tools holds: the lines of
    iptables-save, ipset save and ipvsadm that add something; of ``nft list ruleset`` the lines in
    chains, and the elements of maps and sets.
    """
    blocks: list[str] = _ELEMENTS.findall(text)
    elements = sum(block.count(",") + 1 for block in blocks)
    rest = _ELEMENTS.sub("", text)
    return elements + sum(1 for row in rest.splitlines() if _is_rule(row))


_ELEMENTS: Final = re.compile(r"\telements = \{(.*?)\}", re.DOTALL)
_ADDS: Final = re.compile(
    r"(\[[\d:]+\] )?-A |add |(TCP|UDP|SCTP) +[\d\[]|  -> +[\d\[]"  # the last two: ipvsadm -Ln
)
_FRAME: Final = re.compile(  # of nft: what is neither a rule nor an element
    r"\t*(table |chain |map |set |type |typeof |flags |comment |}|#|$)"
)


def _is_rule(row: str) -> bool:
    if row.startswith("\t"):
        return not _FRAME.match(row)
    return bool(_ADDS.match(row))
