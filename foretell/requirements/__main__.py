"""Writes requirements.json anew: runs the suite, and notes what it makes. Nodes in memory make what
all proxies are asked for (and are enough for a look: ``--provider simulated -n0``); the rest takes
kube-proxy itself.
"""

from __future__ import annotations

import os
import sys

import pytest

from foretell.requirements import FILE

os.environ["REQUIREMENTS"] = str(FILE)
options = ["-p", "foretell.requirements.recording", "-p", "no:cacheprovider", "--seed=1"]
asked = sys.argv[1:] or ["--modes=iptables,nftables", "-n2"]
sys.exit(pytest.main(["-c", "pyproject.toml", *options, *asked]))
