"""Control groups outlive what was in them: a run's are removed when it ends, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusters import sandbox

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_groups_of_the_run_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_CGROUPS", tmp_path)
    ours = ["kube-proxy-conformance-a/42-c0", "unified/kube-proxy-conformance-b/42-c1"]
    others = ["kube-proxy-conformance-c/421-c0", "kube-proxy-conformance-c/7-c0", "b/42-c0"]
    for each in ours + others:
        (tmp_path / each).mkdir(parents=True)
    (tmp_path / "kube-proxy-conformance-c" / "42-busy" / "inner").mkdir(parents=True)
    sandbox._remove_groups(42)
    left = {str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*")}
    assert left == {
        "kube-proxy-conformance-c",
        "kube-proxy-conformance-c/42-busy",
        "kube-proxy-conformance-c/42-busy/inner",
        "unified",
        "b",
        *others,
    }
