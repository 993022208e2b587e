"""Runs of one suite over releases of one proxy, as they would leave them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.samples import run as sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Outcomes = dict[str, str]
"""Requirement, or requirement/mode/case with each left out where it does not matter -> outcome."""

CASES = ("IPv4-UDP", "IPv6-UDP")
_REASONS = {"passed": ""}
DEMANDED = "cip-named-targetport-per-ep"


def release(
    folder: Path,
    version: str,
    outcomes: Outcomes,
    *records: dict[str, Any],
    features: dict[str, str] | None = None,
    name: str = "run",
    modes: Sequence[str] = sample.MODES,
    **header: Any,
) -> Path:
    """A run of a release in these modes, of two cases of each requirement; its result file."""
    known = list(dict.fromkeys(key.partition("/")[0] for key in outcomes))
    described = []
    for each in known:
        feature = (features or {}).get(each)
        changes: dict[str, Any] = {"feature": feature, "level": "extended"} if feature else {}
        changes |= {"conformance": "1.41"} if each == DEMANDED else {}
        described.append(sample.requirement(each, area="conntrack", **changes))
    results = [
        sample.result(each, mode, outcome, case=case, reason=_REASONS.get(outcome, outcome))
        for each in known
        for mode in modes
        for case in CASES
        if (outcome := _outcome(outcomes, each, mode, case))
    ]
    about = {"name": "kube-proxy", "version": version, "sha256": version}
    whole = sample.header(run=f"{name}-{version}", implementation=about, modes=modes, **header)
    marks = [sample.fingerprint(mode) for mode in modes]
    return sample.write(folder / f"{name}-{version}", whole, *described, *marks, *results, *records)


def _outcome(outcomes: Outcomes, name: str, mode: str, case: str) -> str:
    for key in (f"{name}/{mode}/{case}", f"{name}/{mode}", f"{name}//{case}", name):
        if key in outcomes:
            return outcomes[key]
    return ""
