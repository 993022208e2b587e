"""Whether a run needs virtual machines, and what they are made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import msgspec

from clusters import sandbox
from clusters.vm import accelerator, kernel
from clusters.vm.kernel import Kernel
from specification.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from clusters.implementation import Implementation
    from clusters.vm.machine import Machine
    from clusters.wires import Link

NodeKind = Literal["auto", "netns", "vm"]
"""What nodes are: namespaces, machines, or machines only where this kernel cannot run the mode."""


@dataclass(frozen=True)
class Machines:
    """What virtual machines are made of, and the modes whose nodes are such."""

    kernel: Kernel
    image: Path
    modes: frozenset[str]

    @property
    def emulated(self) -> bool:
        """Whether their processors are."""
        return accelerator.emulates()

    def boot(
        self, name: str, folder: Path, links: Sequence[Link], address: str, programs: Sequence[Path]
    ) -> Machine:
        """A machine; the arguments are those of Machine."""
        from clusters.vm.machine import Machine  # noqa: PLC0415  (only runs with machines pay for it)

        return Machine(name, folder, self.kernel, self.image, links, address, programs)

    def as_record(self) -> Any:
        """As values of JSON."""
        return msgspec.to_builtins(self, enc_hook=str)

    @classmethod
    def of_record(cls, record: Any) -> Self:
        """What ``as_record`` has made JSON of."""
        return msgspec.convert(record, cls, dec_hook=lambda _, text: Path(text))


def supply(
    implementation: Implementation,
    modes: Collection[str],
    node: NodeKind,
    version_or_file: str = "",
    modules: str = "",
) -> Machines | None:
    """Find or make what the machines of a run need; ``None`` where it needs none.

    Raises:
        ArtifactError: QEMU or a kernel is missing, or a program that belongs in the image.
    """
    needing = frozenset(mode for mode in modes if needs_machine(implementation, mode, node))
    if not needing:
        return None
    if not accelerator.program():
        raise ArtifactError(
            f"{', '.join(sorted(needing))} mode needs a virtual machine, and there is no"
            f" {accelerator.PROGRAM}: ./conform installs qemu-system-x86"
        )
    if modules:
        chosen = kernel.own(Path(version_or_file), Path(modules))
    elif "/" in version_or_file:
        raise ArtifactError("--kernel FILE needs --modules FOLDER, the modules of that kernel")
    else:
        chosen = kernel.packaged(version_or_file)
    from clusters.vm import initramfs as image  # noqa: PLC0415  (only runs with machines pay for it)

    return Machines(chosen, image.build(chosen, emulated=accelerator.emulates()), needing)


def needs_machine(implementation: Implementation, mode: str, node: NodeKind = "auto") -> bool:
    """Whether a node of that mode is to be a machine; ``auto``: whether this kernel lacks what the
    mode needs.
    """
    trial = implementation.modes[mode].trial
    return node == "vm" or (node == "auto" and bool(trial) and not _succeeds(tuple(trial)))


def _succeeds(trial: tuple[str, ...]) -> bool:
    """Whether a command succeeds in a network namespace that is made for it."""
    return sandbox.tried(trial).returncode == 0
