"""The node image for kind: what it is made of, and what is said where it cannot be made."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from clusters.build import artifacts
from clusters.build.cache import cache_folder
from clusters.kind.docker.engine import Engine
from clusters.kind.image import archive
from clusters.kind.image import base as image_base
from clusters.kind.image import build as image
from clusters.kind.image import node as image_node
from clusters.kind.image import pods as image_pods
from clusters.kind.image import programs as image_programs
from specification.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable

    Program = Callable[[str, str], Path]

REAL_CACHE = cache_folder()

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change its root folder")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return cache_folder() / "kind"


def contents(place: Path) -> tuple[dict[str, Any], tarfile.TarFile]:
    """The one entry of an archive's manifest, and its layer."""
    with tarfile.open(place) as whole:

        def member(name: str) -> bytes:
            stream = whole.extractfile(name)
            assert stream is not None
            return stream.read()

        (entry,) = json.loads(member("manifest.json"))
        configuration = member(entry["Config"])
        assert entry["Config"] == f"{hashlib.sha256(configuration).hexdigest()}.json"
        entry["Config"] = json.loads(configuration)
        (layer,) = map(member, entry["Layers"])
        digest = f"sha256:{hashlib.sha256(layer).hexdigest()}"
        assert entry["Config"]["rootfs"]["diff_ids"] == [digest]
        return entry, tarfile.open(fileobj=io.BytesIO(layer))


# --- archives -------------------------------------------------------------------------------------


def test_an_archive_holds_files_links_and_the_folders_that_lead_to_them(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    files: archive.Files = {
        Path("/bin"): "usr/bin",
        Path("/usr/bin/copy"): tmp_path / "file",
        Path("/usr/bin/link"): "copy",
        Path("/usr/bin/script"): b"#!/bin/sh\n",
    }
    archive.write(tmp_path / "image.tar", ["a.invalid/b:1", "a.invalid/c:1"], files, ["/bin/copy"])
    entry, layer = contents(tmp_path / "image.tar")
    assert entry["RepoTags"] == ["a.invalid/b:1", "a.invalid/c:1"]
    assert entry["Config"]["config"]["Cmd"] == ["/bin/copy"]
    assert entry["Config"]["os"] == "linux"
    assert layer.getnames() == [
        *("usr", "usr/bin", "bin", "usr/bin/copy", "usr/bin/link", "usr/bin/script")
    ]
    assert layer.getmember("bin").linkname == "usr/bin"
    copy = layer.extractfile("usr/bin/copy")
    assert copy is not None
    assert copy.read() == b"content"
    assert all(member.uid == 0 and member.mtime == 0 for member in layer.getmembers())


def test_the_same_files_make_the_same_archive(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / "file").write_text("content")
        os.utime(tmp_path / "file", (number, number))
        files = {Path("/file"): tmp_path / "file"}
        archive.write(tmp_path / f"{number}.tar", ["a.invalid/b:1"], files)
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()


def test_an_archive_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        archive.write(tmp_path / "image.tar", ["a:1"], {Path("/file"): tmp_path / "none"})
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


@root_only
def test_the_image_of_kube_proxy_runs_what_kube_proxy_calls(tmp_path: Path) -> None:
    binary = tmp_path / "kube-proxy"
    binary.write_text("#!/bin/sh\nnft --version && iptables --version && ip -V && echo $0\n")
    binary.chmod(0o755)
    wrapper = {Path("/usr/sbin/conntrack"): b"#!/bin/sh\necho wrapped\n"}
    image_pods.write_proxy(tmp_path / "image.tar", "a.invalid/kube-proxy:1", binary, more=wrapper)
    _, layer = contents(tmp_path / "image.tar")
    inside = tmp_path / "root"
    layer.extractall(inside, filter="fully_trusted")  # noqa: S202  (we have just written it)

    def run(*argv: str) -> str:
        done = subprocess.run(["chroot", inside, *argv], capture_output=True, text=True, check=True)
        return done.stdout

    said = run("/usr/local/bin/kube-proxy")
    assert "nftables v" in said
    assert "iptables v" in said
    assert said.endswith("/usr/local/bin/kube-proxy\n")
    assert run("conntrack") == "wrapped\n"
    assert "ipset v" in run("ipset", "--version")
    assert "match" in run("iptables", "-m", "comment", "--help"), "its plug-ins are there"


def test_a_tool_that_the_image_of_kube_proxy_lacks_is_named(tmp_path: Path) -> None:
    (tmp_path / "usr/sbin").mkdir(parents=True)
    with pytest.raises(ArtifactError, match="an image of kube-proxy needs iptables, and /"):
        image_pods.write_proxy(tmp_path / "image.tar", "a:1", tmp_path / "none", tmp_path)


def test_kubeadm_says_which_images_it_wants(program: Program) -> None:
    kubeadm = program(
        "kubernetes",
        f"""[ "$2 $3" = "images list" ] || exit 1
        for it in kube-proxy:v1 etcd:3.6; do echo {image_pods.REPOSITORY}/$it; done""",
    )
    assert image_pods.names(kubeadm) == {
        "kube-proxy": f"{image_pods.REPOSITORY}/kube-proxy:v1",
        "etcd": f"{image_pods.REPOSITORY}/etcd:3.6",
    }
    with pytest.raises(ArtifactError, match="kubeadm names no images: broken"):
        image_pods.names(program("kubernetes", "echo broken >&2; exit 1"))


def test_the_sandbox_image_is_the_one_that_nodes_are_told() -> None:
    configuration = (image_node.FILES / "etc/containerd/config.toml").read_text()
    assert f'sandbox_image = "{image_pods.SANDBOX}"' in configuration


# --- the tag --------------------------------------------------------------------------------------


def test_the_tag_names_all_that_the_image_is_made_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = image.tag()
    assert image.tag() == tag
    assert image.is_own(tag)
    assert not image.is_own(image.published("1.36.3"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    assert image.tag() == tag, "not where it is made"

    seen = {tag}
    monkeypatch.setattr(image_base, "PACKAGES", (*image_base.PACKAGES, "jq"))
    seen.add(image.tag())
    shutil.copytree(image_node.FILES, tmp_path / "files")
    monkeypatch.setattr(image_node, "FILES", tmp_path / "files")
    (tmp_path / "files/etc/containerd/config.toml").write_text("")
    seen.add(image.tag())
    (tmp_path / "files/etc/containerd/config.toml").rename(tmp_path / "files/etc/config.toml")
    seen.add(image.tag())
    shutil.copytree(image_programs.MODULE, tmp_path / "programs")
    monkeypatch.setattr(image_programs, "MODULE", tmp_path / "programs")
    (tmp_path / "programs/pause/main.go").write_text("package main\n")
    seen.add(image.tag())
    assert len(seen) == 5


# --- building -------------------------------------------------------------------------------------


class Recorder(Engine):
    """A Docker that is only told what to do, and has ``images``."""

    def __init__(self, *images: str, own: bool) -> None:
        super().__init__("unix:///none", Path("/none"), own=own)
        self.images = images
        self.commands: list[tuple[str, ...]] = []

    def docker(self, *argv: str, **_options: Any) -> subprocess.CompletedProcess[str]:
        self.commands.append(argv)
        listed = "\n".join(self.images)
        known = argv[:2] != ("image", "inspect") or argv[2] in self.images
        return subprocess.CompletedProcess(argv, 0 if known else 1, listed, "")


def test_an_image_that_docker_has_is_not_made() -> None:
    engine = Recorder(image.tag(), own=True)
    assert image.ensure(engine) == image.tag()
    assert engine.commands == [("image", "inspect", image.tag())]


@pytest.mark.parametrize("own", [True, False])
def test_an_image_is_loaded_and_replaces_older_ones_in_the_suites_own_docker(
    own: bool, cache: Path
) -> None:
    cache.mkdir(parents=True)
    packed = cache / f"node-{image.tag().rpartition('-')[2]}.tar"
    packed.touch()
    old = f"{image.NAME}:v1.0.0-old"
    engine = Recorder(old, own=own)
    image.ensure(engine, io.StringIO())
    loading = engine.commands[1]
    assert (loading[0], *loading[-2:]) == ("import", str(packed), image.tag())
    assert '--change=ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' in loading
    assert (("image", "rm", "--force", old) in engine.commands) == own


def test_a_node_image_needs_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ArtifactError, match="by root alone: run this as root"):
        image.build()


def test_missing_programs_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", "/none")
    with pytest.raises(ArtifactError, match=r"built with debootstrap, .*: apt-get install .*tar"):
        image.build()


def test_a_full_disk_is_told_before_anything_is_built(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("debootstrap", "touch called")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(image, "SPACE", 1 << 60)
    with pytest.raises(ArtifactError, match=r"takes .* GB and .* has .* GB: make room") as raised:
        image.build()
    assert "\n" not in str(raised.value)


def test_a_step_that_fails_says_why_on_one_line_and_leaves_nothing(
    cache: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("unshare", 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"')
    program("debootstrap", "echo I: Retrieving; echo E: no such suite; echo; exit 1")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(image, "SPACE", 0)
    monkeypatch.setattr(artifacts, "ensure", lambda **_: {})
    monkeypatch.setattr(image_programs, "ensure", lambda name, _: Path(name))
    with pytest.raises(ArtifactError, match=r"^debootstrap failed: E: no such suite$"):
        image.build(io.StringIO())
    assert [path.name for path in cache.iterdir()] == ["build.lock"]


def test_what_a_killed_build_has_left_is_removed_unless_another_builds(cache: Path) -> None:
    (cache / "unfinished/root").mkdir(parents=True)
    with image._working(io.StringIO()) as work:
        (work / "root").mkdir()
        assert not image.remove_unfinished()
        assert (work / "root").exists()
    assert not image.remove_unfinished()
    (cache / "unfinished/root").mkdir(parents=True)
    assert image.remove_unfinished()
    assert not (cache / "unfinished").exists()


# --- programs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "taken"),
    [
        ("v0.999.0", True),
        (f"v{image_programs.pinned_kind()}", True),
        ("v0.9.0", False),
        ("", False),
    ],
)
def test_kind_is_taken_from_path_where_it_is_not_too_old(
    version: str, taken: bool, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_programs, "ensure", lambda name, _: Path("/built", name))
    found = program("kind", f"echo kind {version} go1.99 linux/amd64")
    assert image.kind() == (found if taken else Path("/built/kind"))


def test_the_published_image_is_the_one_that_kind_would_take(program: Program) -> None:
    name = f"kindest/node:v0.999.1@sha256:{'0a' * 32}"
    program("kind", f"echo kind v0.999.0 go1.99 linux/amd64\n# kindest/base:v1{name}garbage")
    assert image.published() == name
    assert image.published("v1.34.4") == "kindest/node:v1.34.4"


def test_a_runtime_asks_for_no_more_than_it_may_have(
    tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(REAL_CACHE.parent))
    program("runc", 'echo "$@"')
    bounded = image_programs.ensure("bounded", io.StringIO())
    process = {
        "capabilities": {"bounding": ["CAP_NET_ADMIN", "CAP_SYS_RESOURCE"], "ambient": []},
        "oomScoreAdj": -999,
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1 << 20, "soft": 1 << 20}],
        "args": ["sh"],
        "user": {"uid": 12345678901234567},
    }
    (tmp_path / "config.json").write_text(json.dumps({"process": process, "hostname": "node"}))
    (tmp_path / "process.json").write_text(json.dumps(process))
    drop = ["setpriv", "--bounding-set=-sys_resource"] if os.geteuid() == 0 else []
    for argv in (
        ["--root", "/x", "create", "--bundle", str(tmp_path), "name"],
        ["exec", f"--process={tmp_path}/process.json", "name"],
    ):
        done = subprocess.run([*drop, bounded, *argv], capture_output=True, text=True, check=True)
        assert done.stdout.split() == argv, "runc gets what it was given"
    whole = json.loads((tmp_path / "config.json").read_text())
    assert whole["hostname"] == "node"
    for changed in (whole["process"], json.loads((tmp_path / "process.json").read_text())):
        assert changed.pop("capabilities") == {
            "bounding": ["CAP_NET_ADMIN"] if drop else [],
            "ambient": [],
        }
        score = int(Path("/proc/self/oom_score_adj").read_text())
        assert changed == {"oomScoreAdj": score, "args": ["sh"], "user": process["user"]}
