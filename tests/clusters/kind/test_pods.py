"""What is read of a pod on a kind node."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from clusters.kind.node.pods import PodLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POD = {"metadata": {"namespace": "kube-system", "name": "kube-proxy-1", "uid": "u"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder in which the kubelet has the container's log."""
    folder = tmp_path / "var/log/pods/kube-system_kube-proxy-1_u/kube-proxy"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def log(tmp_path: Path) -> Iterator[PodLog]:
    """The log of the container."""
    log = PodLog(tmp_path, POD, "kube-proxy")
    yield log
    log.close()


def test_what_is_new_is_read_in_whole_lines(log: PodLog, folder: Path) -> None:
    """Each look gives the lines that came after the last one, without the runtime's marks."""
    assert log.new() == b""
    with (folder / "0.log").open("w") as file:
        file.write("2026-01-02T03:04:05.6Z stderr F one\n2026-01-02T03:04:05.7Z stdo")
        file.flush()
        assert log.new() == b"one\n"
        file.write("ut F two\n")
    (folder / "1.log").write_text("2026-01-02T03:04:06.1Z stderr F restarted\n")
    assert log.new() == b"two\nrestarted\n"


def test_a_log_is_read_to_its_end_after_the_kubelet_removed_it(log: PodLog, folder: Path) -> None:
    """What a proxy prints while its pod ends is not lost with the pod's folder."""
    with (folder / "0.log").open("w") as file:
        assert log.new() == b""
        file.write("2026-01-02T03:04:05.6Z stderr F the last words\n")
    shutil.rmtree(folder.parent)
    assert log.new() == b"the last words\n"
    assert log.new() == b""


def test_a_log_that_goes_between_two_looks_is_no_error(log: PodLog, folder: Path) -> None:
    """A file that is listed and is gone when it is opened has nothing to say."""
    (folder / "0.log").symlink_to("removed")
    assert log.new() == b""
