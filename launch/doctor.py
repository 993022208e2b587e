"""What this machine can run, found out by trying it in a sandbox that is thrown away.

Imports nothing but the standard library, because it must work before anything is installed.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from clusters import sandbox
from clusters.build import artifacts, toolchain
from clusters.build.cache import cache_folder
from clusters.vm import accelerator
from launch import trials

MODES = ("iptables", "nftables", "ipvs")
"""The modes of kube-proxy on Linux, in the order in which they are reported."""

_ALL = frozenset(MODES)
_TOOLS = {
    "conntrack": ("conntrack", _ALL),
    "ip": ("iproute2", _ALL),
    "ipset": ("ipset", {"ipvs"}),
    "ipvsadm": ("ipvsadm", {"ipvs"}),
    "ip6tables-restore": ("iptables", {"iptables", "ipvs"}),
    "iptables-restore": ("iptables", {"iptables", "ipvs"}),
    "nft": ("nftables", {"nftables"}),
    "nsenter": ("util-linux", _ALL),
    "unshare": ("util-linux", _ALL),
}
"""Debian's package of each tool, and the modes that need it."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: what was found, and what to do when it is not enough.

    ``modes`` are those that cannot run without it; there are none when it is only advice.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    modes: frozenset[str] = frozenset()


def _tools() -> list[Check]:
    checks = []
    for tool, (package, needing) in _TOOLS.items():
        path = shutil.which(tool)
        remedy = f"./conform installs it on Debian and Ubuntu (package {package})"
        checks.append(Check(tool, bool(path), path or "not found", remedy, frozenset(needing)))
    return checks


def _kernel(release: str) -> Check:
    """kube-proxy refuses nftables mode below 5.13 (pkg/proxy/nftables, getNFTablesInterface)."""
    return Check(
        "kernel for nftables",
        toolchain.parse(release) >= (5, 13),
        f"Linux {release}",
        "boot Linux 5.13 or newer",
        frozenset({"nftables"}),
    )


def _tried() -> list[Check]:
    """What the kernel and the tools can do together, tried in a sandbox."""
    missing = [tool for tool in ("ip", "unshare") if not shutil.which(tool)]
    if missing:
        detail = f"not tried without {' and '.join(missing)}"
        return [Check("sandbox", ok=False, detail=detail, modes=_ALL)]
    done = sandbox.tried(["sh", "-c", trials.script()], timeout=60)
    results = trials.parse(done.stdout)
    if not results:
        why = (
            " ".join(done.stderr.split()).removeprefix("error: ") or f"exit code {done.returncode}"
        )
        return [Check("sandbox", ok=False, detail=why, remedy="run as root", modes=_ALL)]
    who = "as root" if os.getuid() == 0 else "as an ordinary user"
    checks = [Check("sandbox", ok=True, detail=f"private namespaces, {who}", modes=_ALL)]
    for trial in trials.TRIALS:
        said = results.get(trial.name, "was not tried: the trials before it did not end")
        ok, detail = not said, said or trial.shows
        if trial.name == trials.IP_VS and said:
            ok, detail = _in_a_machine(said)
        checks.append(Check(trial.name, ok, detail, trial.remedy, frozenset(trial.modes)))
    return checks


def _in_a_machine(why: str) -> tuple[bool, str]:
    """Whether a virtual machine can stand in for this kernel, which is as ``why`` says."""
    if not accelerator.program():
        return False, f"{why}, and there is no {accelerator.PROGRAM} for a virtual machine"
    how = {"kvm": "by KVM", "tcg": "emulated by TCG: slower, its times are not comparable"}
    return True, f"{why}: nodes are virtual machines, {how[accelerator.name()]}"


def _conntrack_size() -> Check:
    try:
        size = int(Path("/proc/sys/net/netfilter/nf_conntrack_max").read_text())
    except (OSError, ValueError):
        return Check("conntrack table", ok=True, detail="not loaded yet")
    return Check(
        "conntrack table",
        size >= 65536,
        f"{size} connections",
        "as root: sysctl -w net.netfilter.nf_conntrack_max=262144 (big samples need it)",
    )


def _resources() -> list[Check]:
    cores = os.cpu_count() or 1
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    folder = cache_folder()
    built = [name for name in artifacts.NAMES if artifacts.location(name).exists()]
    needed = 1.0 if len(built) == len(artifacts.NAMES) else 6.0
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free / 2**30
    return [
        Check(
            "cores", cores >= 2, str(cores), "works, but runs take longer; two or more are better"
        ),
        Check(
            "memory", memory >= 2, f"{memory:.1f} GiB", "2 GiB or more: a worker takes up to 1 GiB"
        ),
        Check("disk", free >= needed, f"{free:.1f} GiB free in {there}", f"free {needed:.0f} GiB"),
    ]


def _binaries() -> list[Check]:
    missing = [name for name in artifacts.NAMES if not artifacts.location(name).exists()]
    if not missing:
        return [Check("binaries", ok=True, detail=f"built, in {cache_folder()}")]
    minimum = artifacts.needed_go()
    go = toolchain.find(minimum)
    found = str(go) if go else f"none from {minimum} on; ./conform installs one into the cache"
    return [
        Check("Go", ok=True, detail=found),
        Check("binaries", ok=True, detail=f"./conform will build {', '.join(missing)} (minutes)"),
    ]


def has_ip_vs() -> bool:
    """Whether this kernel itself has IP_VS."""
    return Path("/proc/net/ip_vs").exists()


def mode_checks() -> list[Check]:
    """The checks that decide which modes can run; they take some tenths of a second."""
    return [_kernel(platform.release()), *_tools(), *_tried()]


def checks() -> list[Check]:
    """Everything that is worth knowing before a run."""
    version = platform.python_version()
    return [
        Check("Python", sys.version_info >= (3, 11), version, "install Python 3.11", _ALL),
        *mode_checks(),
        _conntrack_size(),
        *_resources(),
        *_binaries(),
    ]


def modes(found: list[Check] | None = None) -> dict[str, str]:
    """For every mode of kube-proxy, why it cannot run on this machine; empty text where it can."""
    found = mode_checks() if found is None else found
    return {
        mode: "; ".join(f"{c.name}: {c.detail}" for c in found if not c.ok and mode in c.modes)
        for mode in MODES
    }


def report(found: list[Check]) -> str:
    """The checks and the modes as a table for people."""
    lines = ["Machine"]
    for check in found:
        mark = "ok" if check.ok else "NO" if check.modes else "hm"
        lines.append(f"  {mark:4}{check.name:22}{check.detail}")
        if not check.ok and check.remedy:
            lines += textwrap.wrap(
                check.remedy, 72, initial_indent=" " * 28, subsequent_indent=" " * 28
            )
    lines += ["", "Modes of kube-proxy that can be tested here"]
    for mode, why in modes(found).items():
        lines.append(f"  {'no' if why else 'yes':4}{mode:22}{why}".rstrip())
    return "\n".join(lines)


def main() -> int:
    """Print the report; 0 when at least one mode can run, else 2."""
    found = checks()
    print(report(found))
    return 0 if "" in modes(found).values() else 2
