"""The build of what is tested, with a Go toolchain that only pretends."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clusters.build import artifacts, toolchain
from clusters.build.cache import cache_folder
from clusters.build.progress import Progress, duration
from specification.errors import ArtifactError

# Answers `go env`, `go list` and `go mod edit`; "builds" by writing its arguments to the output.
FAKE_GO = """\
#!/bin/sh
echo "$*" >> "$FAKE_GO_CALLS"
case $1 in
    env) echo "${FAKE_GO_VERSION-go1.99.1}" ;;
    list) [ "$3" = -versions ] && { echo k8s.io/kubernetes $FAKE_GO_SERVED; exit; }
          [ "${FAKE_GO_SERVED-}" ] && { echo "go: unknown revision v1.99.0" >&2; exit 1; }
          echo '{"Path": "k8s.io/kubernetes", "GoMod": "/module/go.mod"}' ;;
    mod) echo '{"Go": "'${FAKE_GO_WANTED-1.24.0}'",
        "Godebug": [{"Key": "default", "Value": "go1.24"}], "Require": [
        {"Path": "k8s.io/api", "Version": "v0.0.0"}, {"Path": "a.org/x", "Version": "v1.2.3"}]}' ;;
    build)
        echo "go: downloading example.org/x v1.2.3" >&2
        echo "example.org/x/package" >&2
        [ "${FAKE_GO_BROKEN-}" ] && { echo "main.go:7:2: $FAKE_GO_BROKEN" >&2; exit 1; }
        cp go.mod "$FAKE_GO_CALLS.mod"
        while [ "$1" != -o ]; do shift; done
        echo binary > "$2" ;;
esac
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pretended toolchain first on PATH, an empty cache, and the file that lists its calls."""
    tools = tmp_path / "tools"
    tools.mkdir()
    go = tools / "go"
    go.write_text(FAKE_GO)
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("FAKE_GO_CALLS", str(tmp_path / "calls"))
    return tmp_path / "calls"


def builds(calls: Path) -> list[str]:
    return [line for line in calls.read_text().splitlines() if line.startswith("build ")]


def test_every_pinned_binary_is_built_once(calls: Path) -> None:
    progress = io.StringIO()
    paths = artifacts.ensure(progress=progress)
    assert list(paths) == ["kube-proxy", "kube-apiserver", "etcd"]
    assert all(path.name == name and path.read_text() == "binary\n" for name, path in paths.items())
    assert len(builds(calls)) == 3
    assert artifacts.ensure(progress=progress) == paths
    assert len(builds(calls)) == 3, "what is up to date is not built again"
    said = progress.getvalue()
    assert f"building kube-proxy v{artifacts.PINNED} (once): ..." in said
    assert "building etcd v3." in said


def test_the_build_is_reproducible_and_carries_the_version(calls: Path) -> None:
    artifacts.ensure(["kube-proxy"], progress=io.StringIO())
    (build,) = builds(calls)
    stamp = f"-s -w -X k8s.io/component-base/version.gitVersion=v{artifacts.PINNED}"
    assert f"-trimpath -mod=readonly -ldflags {stamp} -o " in build


def test_go_builds_for_this_machine_without_c_and_without_other_toolchains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GOARCH", "mips")
    env = toolchain.environment(Path("/usr/local/go/bin/go"))
    assert (env["CGO_ENABLED"], env["GOTOOLCHAIN"], env["GOWORK"]) == ("0", "local", "off")
    assert "GOARCH" not in env


def test_a_failed_build_says_why_on_one_line_and_leaves_nothing(
    calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_GO_BROKEN", "undefined: app")
    with pytest.raises(ArtifactError) as raised:
        artifacts.ensure(["etcd"], progress=io.StringIO())
    assert str(raised.value) == "go build failed: main.go:7:2: undefined: app"
    left = [path for path in cache_folder().rglob("*") if path.suffix != ".lock"]
    assert left == [cache_folder() / "binaries"]


def test_another_version_gets_a_module_with_its_staging_modules(calls: Path) -> None:
    path = artifacts.proxy("v1.33.4", progress=io.StringIO())
    assert path.parent.name.startswith("kube-proxy-v1.33.4-")
    assert Path(f"{calls}.mod").read_text().splitlines() == [
        "module kube-proxy-conformance/other",
        "go 1.24.0",
        "godebug default=go1.24",
        "require k8s.io/kubernetes v1.33.4",
        "require k8s.io/component-base v0.33.4",
        "replace k8s.io/api => k8s.io/api v0.33.4",
    ]
    assert artifacts.proxy("1.33.4") == path
    assert len(builds(calls)) == 1


@pytest.mark.parametrize("version", [artifacts.PINNED, "1.33.4"])
def test_a_proxy_that_counts_what_is_reached_is_another_binary(version: str, calls: Path) -> None:
    counting = artifacts.proxy(version, io.StringIO(), counting=True)
    assert counting != artifacts.proxy(version, io.StringIO())
    counts, as_ever = builds(calls)
    assert "-tags=coverage -cover -covermode=atomic -coverpkg=k8s.io/kubernetes/pkg/proxy" in counts
    assert "cover" not in as_ever
    assert artifacts.proxy(version, io.StringIO(), counting=True) == counting
    assert len(builds(calls)) == 2, "it is built once"


def test_a_replacement_inside_the_source_tree_is_not_copied() -> None:
    replace = [
        {"Old": {"Path": "k8s.io/api"}, "New": {"Path": "./staging/src/k8s.io/api"}},
        {"Old": {"Path": "example.org/x"}, "New": {"Path": "example.org/y", "Version": "v1.0.0"}},
    ]
    require = [{"Path": "k8s.io/api", "Version": "v0.0.0"}]
    text = artifacts.module_file(
        "1.29.6", {"Go": "1.21", "Require": require, "Replace": replace, "Godebug": None}
    )
    assert "replace k8s.io/api => k8s.io/api v0.29.6\n" in text
    assert "replace example.org/x => example.org/y v1.0.0\n" in text
    assert "staging" not in text


@pytest.mark.parametrize(
    ("version", "nearest"),
    [("9.9.9", "1.36.3, 1.38.0-beta.0"), ("1.36.2", "1.9.0, 1.36.1, 1.36.3"), ("1.0.0", "1.9.0")],
)
def test_a_version_that_nobody_serves_is_named_with_those_next_to_it(
    version: str, nearest: str, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_GO_SERVED", "v1.36.1 v1.36.3 v1.38.0-beta.0 v1.9.0")
    said = io.StringIO()
    with pytest.raises(ArtifactError) as raised:
        artifacts.proxy(version, progress=said)
    assert str(raised.value).startswith(
        f"no kube-proxy {version}: nobody serves it (nearest: {nearest}); versions known to build: "
    )
    assert said.getvalue() == ""


def test_a_version_that_is_served_but_not_had_is_told_why(
    calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_GO_SERVED", "v1.99.0")
    with pytest.raises(ArtifactError, match=r"no kube-proxy 1\.99\.0: go list failed: go: unknown"):
        artifacts.proxy("1.99.0", progress=io.StringIO())


def test_a_version_that_was_not_published_whole_names_what_is_missing(
    calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = "reading https://proxy/x.zip: 403 Forbidden"
    monkeypatch.setenv(
        "FAKE_GO_BROKEN",
        f"a.io/one-two@v1.0.0: {refused}\nx.go:1:2: a.io/one-two@v1.0.0: {refused}\n"
        f"y.go:3:4: b.io/two/v7@v7.0.0-rc.1: {refused}",
    )
    with pytest.raises(ArtifactError) as raised:
        artifacts.proxy("1.38.0-beta.0", progress=io.StringIO())
    assert str(raised.value).startswith(
        "nobody serves a.io/one-two and b.io/two/v7, which kube-proxy 1.38.0-beta.0 needs:"
        " give a --proxy-binary of it; versions known to build: "
    )


def test_a_version_that_wants_a_newer_go_gets_the_one_of_the_lock(
    calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_GO_VERSION", "go1.26.8")
    monkeypatch.setenv("FAKE_GO_WANTED", "1.27.0")
    uv = calls.parent / "tools" / "uv"
    uv.write_text(
        '#!/bin/sh\nwhile [ "$1" != --target ]; do shift; done\nmkdir -p "$2/go/bin"\n'
        f"sed 's/echo .*GO_VERSION.*;;/echo go1.27.3 ;;/' {calls.parent}/tools/go >$2/go/bin/go\n"
        "chmod +x $2/go/bin/go\n"
    )
    uv.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(calls.parent / "python"))
    artifacts.proxy("1.38.0-beta.0", progress=io.StringIO())
    assert toolchain.version_of(toolchain._packaged()) == (1, 27, 3)
    assert len(builds(calls)) == 1
    assert "go 1.27.0" in Path(f"{calls}.mod").read_text()


@pytest.mark.parametrize("version", ["1.34", "latest", "1.34.4; true", "", "../1.34.4"])
def test_a_version_that_is_none_is_refused(version: str, calls: Path) -> None:
    with pytest.raises(ArtifactError, match="write it in full, such as 1"):
        artifacts.proxy(version)
    assert not calls.exists()


def test_an_unknown_binary_is_refused(calls: Path) -> None:
    with pytest.raises(ArtifactError, match="no such binary: kubelet"):
        artifacts.ensure(["kubelet"])


def test_an_old_go_is_passed_over(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO_VERSION", "go1.19.8")
    found = toolchain.find("1.26.0")
    assert found is None or found.parent != calls.parent / "tools"
    assert toolchain.find("1.19.0") == calls.parent / "tools" / "go"


def test_a_go_that_cannot_be_installed_is_one_line(
    calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = calls.parent / "tools" / "uv"
    uv.write_text("#!/bin/sh\necho 'error: no route\nto anywhere' >&2\nexit 1\n")
    uv.chmod(0o755)
    monkeypatch.setattr(toolchain, "find", lambda _minimum: None)
    monkeypatch.setattr(sys, "executable", str(calls.parent / "python"))
    with pytest.raises(ArtifactError) as raised:
        toolchain.need("1.26.0", io.StringIO())
    assert str(raised.value).endswith("installing it failed: error: no route to anywhere")


def test_the_checksum_is_sha256(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"packets")
    assert artifacts.checksum(file) == hashlib.sha256(b"packets").hexdigest()


def test_two_processes_do_not_build_the_same(calls: Path) -> None:
    program = "from clusters.build import artifacts; artifacts.ensure(['etcd'])"
    argv = [sys.executable, "-c", program]
    both = [subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    assert len(builds(calls)) == 1


def test_locks_name_no_registry() -> None:
    root = Path(__file__).parents[2]
    for name in ("requirements.lock", "dev.lock", "tools.lock", "clusters/build/toolchain.lock"):
        text = (root / name).read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text
        assert "--index" not in text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (223, "3 min 43 s")]
)
def test_durations_read_naturally(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_progress_is_quiet_where_no_one_watches_and_redrawn_where_someone_does() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    file, terminal = io.StringIO(), Terminal()
    for stream in (file, terminal):
        with Progress("step", stream) as progress:
            progress.update("7 packages compiled")
    assert file.getvalue() == "step: ...\nstep: done in 0 s\n"
    assert terminal.getvalue().endswith(
        "\r\x1b[Kstep: ... 0 s, 7 packages compiled\r\x1b[Kstep: done in 0 s\n"
    )
