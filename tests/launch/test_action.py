"""What the GitHub action runs, with a suite that only remembers how it was called."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]

SUITE = """#!/bin/sh
echo "$*" >>"$CALLS"
case $1 in
    --results) mkdir -p "$2/run" && touch "$2/run/results.jsonl" && ln -sfn run "$2/latest"
        exit "${VERDICT:-0}" ;;
    compare) while [ "$1" != --markdown ]; do shift; done; echo "a summary" >"$2" ;;
    gate) echo "PASSES or not"; exit "${GATE:-0}" ;;
esac
"""


def act(folder: Path, **environment: str) -> tuple[int, list[str], str, str]:
    """Exit code, the suite's calls, the summary and the outputs."""
    (folder / "conform").write_text(SUITE)
    (folder / "conform").chmod(0o755)
    files = {
        name: folder / name.lower() for name in ("CALLS", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")
    }
    for path in files.values():
        path.touch()
    done = subprocess.run(
        [ROOT / ".github" / "run.sh"],
        env={
            "PATH": os.environ["PATH"],
            "SUITE": str(folder),
            "RESULTS": str(folder / "out"),
            **{name: str(path) for name, path in files.items()},
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    calls, summary, outputs = (path.read_text() for path in files.values())
    return done.returncode, calls.splitlines(), summary, outputs


@pytest.mark.parametrize("verdict", ["0", "1", "2"])
def test_the_verdict_is_the_exit_code_and_the_summary_is_posted(
    tmp_path: Path, verdict: str
) -> None:
    code, calls, summary, outputs = act(tmp_path, VERDICT=verdict, MODES="nftables")
    assert code == int(verdict)
    assert calls[0] == f"--results {tmp_path}/out --modes nftables"
    assert summary == "a summary\n"
    assert outputs.splitlines() == [f"folder={tmp_path}/out/run", f"exit-code={verdict}"]
    assert not any(call.startswith("gate") for call in calls)


@pytest.mark.parametrize(
    ("verdict", "gate", "code"), [("0", "0", 0), ("0", "1", 1), ("1", "0", 1), ("0", "2", 2)]
)
def test_a_baseline_brings_the_gate(tmp_path: Path, verdict: str, gate: str, code: int) -> None:
    found, calls, summary, _ = act(
        tmp_path, VERDICT=verdict, GATE=gate, BASELINE="old.jsonl.xz", RULES="rules.toml"
    )
    assert found == code
    assert f"gate --baseline old.jsonl.xz --rules rules.toml {tmp_path}/out/run" in calls
    assert "PASSES or not" in summary


def test_a_run_without_a_verdict_is_not_gated(tmp_path: Path) -> None:
    code, calls, _, _ = act(tmp_path, VERDICT="2", BASELINE="old.jsonl.xz")
    assert code == 2
    assert not any(call.startswith("gate") for call in calls)


def test_nothing_that_a_user_wrote_is_taken_for_shell(tmp_path: Path) -> None:
    nasty = '$(touch "$SUITE/hacked"); `touch $SUITE/hacked` "'
    _, calls, _, _ = act(tmp_path, MODES=nasty, PROXY_BINARY=nasty)
    assert calls[0] == f"--results {tmp_path}/out --proxy-binary {nasty} --modes {nasty}"
    assert not (tmp_path / "hacked").exists()


def test_every_input_of_the_action_reaches_the_script() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    (run,) = [step for step in action["runs"]["steps"] if step.get("id") == "run"]
    assert "${{" not in run["run"]
    script = (ROOT / ".github" / "run.sh").read_text()
    for name in run["env"]:
        assert f"${{{name}" in script or f"${name}" in script, name
    used = " ".join([*run["env"].values(), *map(str, action["runs"]["steps"])])
    assert all(f"inputs.{name}" in used for name in action["inputs"])
