"""What makes a virtual machine fast: KVM where it works, and emulation (TCG) everywhere."""

from __future__ import annotations

import functools
import os
import platform
import shutil
import subprocess
import tempfile
from typing import Literal

PROGRAM = "qemu-system-x86_64"

_EXIT_PORT = 0xF4
_CODE = 0x31
# mov al, _CODE; out _EXIT_PORT, al; hlt: all that the machine runs, from its first sector
_PROGRAM = bytes([0xB0, _CODE, 0xE6, _EXIT_PORT, 0xF4])
_SECTOR = _PROGRAM.ljust(510, b"\0") + b"\x55\xaa"
_TIMEOUT = 10.0


def program() -> str | None:
    """Where QEMU is; ``None`` where it is not, or cannot run what this machine runs."""
    return shutil.which(PROGRAM) if platform.machine() == "x86_64" else None


@functools.cache
def name() -> Literal["kvm", "tcg"]:
    """What machines run by here; KVM counts only where a machine has run by it."""
    return "kvm" if os.access("/dev/kvm", os.R_OK | os.W_OK) and runs("kvm") else "tcg"


def emulates() -> bool:
    """Whether the processors of machines are emulated here."""
    return name() != "kvm"


def option() -> str:
    """What QEMU is told of it.

    (All translated code is dropped when its room is full, and where there is little room the rest
    is found faster: programs that start and end fill it with what is never used again.)
    """
    return "tcg,tb-size=96" if emulates() else "kvm"


def processor() -> str:
    """The processor that machines have: this machine's own, or one that is emulated fast.

    (Every feature more is state to be switched; what programs of today need is x86-64-v2.)
    """
    return "Nehalem,+aes,+pclmulqdq,+rdrand" if emulates() else "host"


def runs(accelerator: str, processor: str = "host") -> bool:
    """Boot a machine whose only program ends it (QEMU's isa-debug-exit doubles the code and adds
    one).
    """
    with tempfile.NamedTemporaryFile() as disk:
        disk.write(_SECTOR)
        disk.flush()
        argv = [
            *(PROGRAM, "-machine", "pc", "-accel", accelerator, "-cpu", processor),
            *("-nodefaults", "-display", "none", "-no-reboot"),
            *("-device", f"isa-debug-exit,iobase={_EXIT_PORT},iosize=4"),
            *("-drive", f"file={disk.name},format=raw,if=ide"),
        ]
        try:
            done = subprocess.run(argv, capture_output=True, timeout=_TIMEOUT, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return False
    return done.returncode == 2 * _CODE + 1
