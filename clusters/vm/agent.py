"""What a virtual machine runs: RPyC's own server, by which the suite uses its Python from outside.

It listens on the management wire, which nobody else is on.
"""

import sys

from rpyc.core.service import SlaveService
from rpyc.utils.server import ThreadedServer


def main(address: str, port: str) -> None:
    """Serve until the machine is switched off."""
    print("the agent is ready", flush=True)
    ThreadedServer(SlaveService, hostname=address, port=int(port)).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
