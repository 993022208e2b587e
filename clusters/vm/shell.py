"""A shell in a virtual machine, line by line: ``python -m clusters.vm.shell ADDRESS``."""

from __future__ import annotations

import sys

from clusters.vm.connection import connect


def main(address: str) -> int:
    """Run each line of standard input in the machine, in a shell of its own, until its end."""
    remote = connect(address, timeout=10.0)
    prompt = f"{address}# " if sys.stdin.isatty() else ""
    while True:
        print(prompt, end="", flush=True)
        line = sys.stdin.readline()
        if not line:
            return 0
        done = remote.modules.subprocess.run(("sh", "-c", line), capture_output=True, text=True)
        print(done.stdout + done.stderr, end="", flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
