"""What stands for nft and iptables-restore on a mutant's PATH: ``tools.py REAL-TOOL ARGUMENT...``

Alters the text on its standard input, hands it to the real tool, and records what came of it.
The environment holds MUTANT (``iptables-`` or ``nftables-`` and the mutant's name), MUTANT_MEMORY
(a folder of the node's own, where the texts are kept) and MUTANT_RECORD (the file to record in); or
MUTANT_SETTINGS names a file of JSON with them, which may change between two starts of the proxy;
without that file nothing is altered.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def main(argv: list[str]) -> int:
    """Run the real tool on the altered text and return its exit code."""
    sys.path.insert(0, str(Path(__file__).parents[3]))
    from tests.mutants import MUTANTS
    from tests.mutants.mutant import ALTERED, REFUSED, UNALTERED

    if "MUTANT_SETTINGS" in os.environ:
        settings = Path(os.environ["MUTANT_SETTINGS"])
        if not settings.exists():
            os.execv(argv[0], argv)
        os.environ.update(json.loads(settings.read_text()))
    mode, _, name = os.environ["MUTANT"].partition("-")
    mutant = next(each for each in MUTANTS[mode] if each.name == name)
    text = sys.stdin.read()
    family = "ipv6" if "ip6tables" in argv[0] or " ip6 kube-proxy" in text else "ipv4"
    memory = Path(os.environ["MUTANT_MEMORY"], f"programmed-{family}")
    before = memory.read_text() if memory.exists() else ""
    altered = mutant.mutate(text, before) if mutant.of == "rules" else text
    done = subprocess.run(argv, input=altered, text=True, capture_output=True, check=False)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    if done.returncode:
        word = f"{REFUSED}: {' '.join((done.stdout + done.stderr).split())}"
    else:
        word = UNALTERED if altered == text else ALTERED
        with memory.open("a") as programmed:
            programmed.write(text)
    with Path(os.environ["MUTANT_RECORD"]).open("a") as record:
        record.write(f"{word}\n")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
