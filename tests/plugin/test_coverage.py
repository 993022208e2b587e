"""A run that tells what of the proxy's code was reached, with a Go toolchain that only pretends."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from clusters.build.artifacts import PINNED

if TYPE_CHECKING:
    from pathlib import Path

# Builds a program that says its version; what the proxies have counted is a profile already.
FAKE_GO = """\
#!/bin/sh
case "$*" in
    "env GOVERSION") echo go1.99.1 ;;
    "env GOMODCACHE") echo "${0%/*}" ;;
    build*)
        while [ "$1" != -o ]; do shift; done
        printf '#!/bin/sh\\necho Pretender vPINNED\\n' > "$2"
        chmod +x "$2" ;;
    "tool covdata textfmt "*) cat "${4#-i=}"/* > "${5#-o=}" ;;
    "tool covdata func "*)
        echo "k8s.io/kubernetes/pkg/proxy/first/proxier.go:10:	*Proxier.Sync	50.0%" ;;
esac
"""

COUNTS = """
import os
from pathlib import Path

@core("counts")
def test_counts(mode):
    '''A proxy must count what is reached of it.'''
    reached = int(mode == "first")
    block = f"k8s.io/kubernetes/pkg/proxy/first/proxier.go:10.1,12.2 3 {reached}"
    Path(os.environ["GOCOVERDIR"], "counters").write_text(block + os.linesep)
"""


@pytest.fixture
def listed(judged: Any, pretender: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pretender that the suite builds, and whose list of reasons is this file."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "go").write_text(FAKE_GO.replace("PINNED", PINNED))
    (tools / "go").chmod(0o755)
    (tools / "k8s.io" / f"kubernetes@v{PINNED}").mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    text = pretender.read_text().replace('binary = "pretender"', 'artifact = "kube-proxy"')
    pretender.write_text('unreached = "unreached.toml"' + text)
    (tmp_path / "unreached.toml").touch()
    return tmp_path / "unreached.toml"


def test_each_mode_counts_for_itself(judged: Any, listed: Path, pytester: pytest.Pytester) -> None:
    result, _ = judged(COUNTS, "--modes=first,second", "--coverage")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["*first *second", "pkg/proxy/first *100.0 % *0.0 %", "first mode: 100.0 % of*"]
    )
    (folder,) = pytester.path.glob("results/*Z-*/coverage")
    assert sorted(path.name for path in folder.iterdir()) == [
        "coverage.md",
        "first.txt",
        "second.txt",
    ]


def test_a_reason_for_what_is_reached_is_an_error(judged: Any, listed: Path) -> None:
    listed.write_text('[[unreached]]\nfunctions = ["*.*Sync"]\nreason = "Wrong."\n')
    result, records = judged(COUNTS, "--modes=first", "--coverage")
    assert result.ret == 2
    said = "error: a reason is wrong: pkg/proxy/first.(*Proxier).Sync is reached in first mode*"
    result.stdout.fnmatch_lines([said])
    assert records[-1]["exit"] == 0, "it is no fault of the proxy's"


def test_a_run_that_has_counted_nothing_is_an_error(judged: Any, listed: Path) -> None:
    code = "@core('idle')\ndef test_idle(mode):\n    '''A proxy must be.'''\n"
    result, _ = judged(code, "--modes=first", "--coverage")
    assert result.ret == 2
    result.stdout.fnmatch_lines(["error: coverage: no proxy was started*"])


def test_without_the_sources_nothing_that_was_counted_is_lost(
    judged: Any, listed: Path, tmp_path: Path, pytester: pytest.Pytester
) -> None:
    (tmp_path / "tools" / "k8s.io" / f"kubernetes@v{PINNED}").rmdir()
    result, _ = judged(COUNTS, "--modes=first", "--coverage")
    assert result.ret == 2
    said = f"error: coverage: */k8s.io/kubernetes@v{PINNED} is missing: go mod download *"
    result.stdout.fnmatch_lines([said])
    assert len(list(pytester.path.glob("results/*Z-*/coverage/first/counters"))) == 1


def test_only_a_proxy_that_is_built_here_can_count(judged: Any) -> None:
    result, records = judged(COUNTS, "--modes=first", "--coverage", alone=True)
    assert (result.ret, records) == (2, [])
    result.stderr.fnmatch_lines(["error: --coverage needs a proxy that this suite builds*"])
