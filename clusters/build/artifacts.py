"""The binaries under test and their control plane, built from Go modules into a per-user cache.

The pinned versions come from the module in ``clusters/build``; any other kube-proxy from a module
that is written here the same way: ``k8s.io/kubernetes`` at the wanted version, with every staging
module (which it requires as ``v0.0.0``) replaced by the one published with it.
"""

from __future__ import annotations

import bisect
import hashlib
import json
import os
import re
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusters.build import toolchain
from clusters.build.cache import cache_folder, digest, once
from clusters.build.foreign import FOREIGN, copy_files
from clusters.build.progress import Progress
from specification.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TextIO

BUILD = Path(__file__).parent
NAMES = ("kube-proxy", "kube-apiserver", "etcd")
"""What every run needs."""
MORE = ("hollow-proxy", *FOREIGN)
"""What is built where somebody asks for it."""

_KUBERNETES = "k8s.io/kubernetes"
_MODULES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    **{name: each.module for name, each in FOREIGN.items()},
}
"""Where another module than Kubernetes' own tells the version of what is built."""
_COVERED = (
    "k8s.io/kubernetes/pkg/proxy/...",
    "k8s.io/kubernetes/cmd/kube-proxy/...",
    "./kube-proxy",  # where Go starts the writing: 1.26 forgets to where main is left out
)
_COUNTING = ("-tags=coverage", "-cover", "-covermode=atomic", f"-coverpkg={','.join(_COVERED)}")
"""Flags that have kube-proxy count what of its own code is reached (see kube-proxy/coverage.go)."""
_RECIPE = "1"
"""Part of every cache key: another way of building must not find what an older way built."""

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-(alpha|beta|rc)\.(\d+))?")
_KNOWN = (
    "versions known to build: 1.29.6, 1.30.4, 1.31.0, 1.32.2, 1.33.13, 1.34.0, 1.34.2 to 1.34.4,"
    " 1.35.4, 1.36.1, 1.36.3, 1.37.2"
)


def stated(name: str, module: Path = BUILD) -> str:
    """The version behind a name in the go.mod of the Go module in a folder."""
    file = module / "go.mod"
    match = re.search(rf"^\s*{re.escape(name)} (\S+)", file.read_text(), re.MULTILINE)
    if match is None:
        raise ArtifactError(f"{file} names no version of {name}")
    return match[1]


PINNED = stated(_KUBERNETES).removeprefix("v")
"""The version of kube-proxy and kube-apiserver that is built when no other is asked for."""


def checksum(path: Path) -> str:
    """The SHA-256 checksum of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def location(name: str) -> Path:
    """Where the pinned binary ``name`` is, or will be once built; etcd has a version of its own."""
    if name not in NAMES + MORE:
        raise ArtifactError(f"no such binary: {name} (there are {', '.join(NAMES + MORE)})")
    module = _module(name)
    main = () if name in FOREIGN else (BUILD / name / "main.go",)
    return _place(name, _stated(name), [module / "go.mod", module / "go.sum", *main])


def _module(name: str) -> Path:
    return BUILD / name if name in FOREIGN else BUILD


def _stated(name: str) -> str:
    """The version of a pinned binary."""
    return stated(_MODULES.get(name, _KUBERNETES), _module(name))


def _place(name: str, version: str, sources: Iterable[Path], flags: Sequence[str] = ()) -> Path:
    """The path of a binary in the cache; its folder names what it was made from."""
    made_of = digest(" ".join([_RECIPE, os.uname().machine, *flags]), sources)
    return cache_folder() / "binaries" / f"{name}-{version}-{made_of}" / name


def ensure(names: Sequence[str] = NAMES, progress: TextIO | None = None) -> dict[str, Path]:
    """Build the named binaries unless they are in the cache, and return where they are.

    Progress is written to the stream ``progress``, standard error by default.
    Raises ArtifactError with one line that says what failed.
    """
    paths = {name: location(name) for name in names}
    for name, path in paths.items():
        built(path, name, partial(_build_pinned, path, progress), progress)
    return paths


def proxy(version: str, progress: TextIO | None = None, *, counting: bool = False) -> Path:
    """Build kube-proxy ``version`` (``1.34.4``) unless it is in the cache, and return where it is.
    One that is ``counting`` writes which of its code is reached: see clusters/build/coverage.py.

    Raises ArtifactError when there is no such version, when it was not published whole, or when it
    does not build.
    """
    version = version.removeprefix("v")
    if not _VERSION.fullmatch(version):
        raise ArtifactError(
            f"no version of kube-proxy: {version!r}; write it in full, such as {PINNED}"
        )
    if version == PINNED and not counting:
        return ensure(["kube-proxy"], progress=progress)["kube-proxy"]
    flags = _COUNTING if counting else ()
    names = ("main.go", "coverage.go") if counting else ("main.go",)
    sources = [BUILD / "kube-proxy" / name for name in names]
    if version == PINNED:
        pinned = [BUILD / "go.mod", BUILD / "go.sum"]
        path = _place("kube-proxy", f"v{version}", [*pinned, *sources], flags)
        build = partial(_build_pinned, path, progress, flags)
    else:
        path = _place("kube-proxy", f"v{version}", sources, flags)
        build = partial(_build_other, version, path, progress, flags)
    return built(path, f"kube-proxy {version}", build, progress)


def built(path: Path, what: str, build: Callable[[], None], progress: TextIO | None) -> Path:
    """A binary in a folder of its own in the cache, which ``build`` puts there where it is not."""
    waiting = f"waiting: another process builds {what}"
    return once(path, build, waiting, progress, f"{path.parent}.lock")


def needed_go() -> str:
    """The oldest Go that builds the pinned binaries, such as ``1.26.0``."""
    return stated("go")


def sources(progress: TextIO | None = None) -> Path:
    """The folder of the pinned module ``k8s.io/kubernetes``, in Go's cache; with it everything is
    fetched that kube-proxy is built from.

    Raises:
        ArtifactError: it cannot be had.
    """
    go = toolchain.need(needed_go(), progress)
    toolchain.run(go, ["list", "-deps", "./kube-proxy"], BUILD)
    return Path(toolchain.run(go, ["list", "-m", "-f", "{{.Dir}}", _KUBERNETES], BUILD).strip())


def _build_pinned(path: Path, progress: TextIO | None, flags: Sequence[str] = ()) -> None:
    name, module = path.name, _module(path.name)
    go = toolchain.need(stated("go", module), progress)
    version = _stated(name)
    with Progress(f"building {name} {version} (once)", progress) as step:
        if foreign := FOREIGN.get(name):
            where, _, variable = foreign.version.rpartition(".")
            stamped = stamp(f"{foreign.module}/{where}", **{variable: version})
            tags = [f"-tags={foreign.tags}"] if foreign.tags else []
            copy_files(foreign, go, module, path.parent)
            # what is there last says that all is there
            for each, package in {**foreign.tools, name: foreign.package}.items():
                source = f"{foreign.module}/{package}"
                to = path.with_name(each)
                compile_to(to, source, go, module, stamped, step, "readonly", tags)
        else:
            stamped = stamp(gitVersion=f"v{PINNED}")
            compile_to(path, f"./{name}", go, module, stamped, step, "readonly", flags)


def stamp(package: str = "k8s.io/component-base/version", **version: str) -> str:
    """Linker flags that tell a program its version, by its names in that package."""
    told = (f"-X {package}.{name}={value}" for name, value in version.items())
    return " ".join(["-s -w", *told])


def compile_to(
    path: Path,
    package: str,
    go: Path,
    module: Path,
    stamped: str,
    step: Progress,
    mod: str,
    more: Sequence[str] = (),
) -> None:
    """Compile a package of the Go module in a folder, and move it to ``path`` when it is whole.
    ``mod`` says whether ``go`` may change the module's go.mod: its flag of that name; ``more`` are
    further flags.
    """
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="unfinished-", dir=path.parent.parent) as folder:
        unfinished = Path(folder) / path.name
        flags = ["-v", "-trimpath", f"-mod={mod}", "-ldflags", stamped, "-o", str(unfinished)]
        toolchain.run(go, ["build", *flags, *more, package], module, step)
        if not unfinished.exists():
            raise ArtifactError(f"go build {package} succeeded but made no binary")
        path.parent.mkdir(exist_ok=True)
        unfinished.replace(path)


def _build_other(version: str, path: Path, progress: TextIO | None, flags: Sequence[str]) -> None:
    cache_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="module-", dir=cache_folder()) as folder:
        module = Path(folder)
        kubernetes = _described(toolchain.need(needed_go(), progress), version, module)
        newest = max(needed_go(), kubernetes["Go"], key=toolchain.parse)
        go = toolchain.need(newest, progress)
        (module / "go.mod").write_text(module_file(version, kubernetes))
        shutil.copytree(BUILD / "kube-proxy", module / "kube-proxy")
        try:
            with Progress(f"building kube-proxy v{version} (once)", progress) as step:
                stamped = stamp(gitVersion=f"v{version}")
                compile_to(path, "./kube-proxy", go, module, stamped, step, "mod", flags)
        except ArtifactError as problem:
            raise ArtifactError(f"{_why_not(version, str(problem))}; {_KNOWN}") from None


def _why_not(version: str, problem: str) -> str:
    """Why a version does not build, from what `go` said: most often it was not published whole."""
    refused = re.findall(
        r"([\w./-]+)@v[\w.+-]+: (?:reading \S+: 4\d\d|.*unknown revision)", problem
    )
    if not refused:
        return f"kube-proxy {version} does not build: {problem}"
    modules = " and ".join(dict.fromkeys(refused))
    return f"nobody serves {modules}, which kube-proxy {version} needs: give a --proxy-binary of it"


def _described(go: Path, version: str, folder: Path) -> dict[str, Any]:
    """The go.mod of ``k8s.io/kubernetes`` at ``version``, as ``go mod edit -json`` prints it."""
    module = "k8s.io/kubernetes"
    (folder / "go.mod").write_text("module none\n")
    try:
        found = toolchain.run(go, ["list", "-m", "-json", f"{module}@v{version}"], folder)
        file = json.loads(found)["GoMod"]
    except (ArtifactError, KeyError) as problem:
        served = toolchain.run(go, ["list", "-m", "-versions", module], folder).split()[1:]
        why = _nearest(version, [one.removeprefix("v") for one in served]) or problem
        raise ArtifactError(f"no kube-proxy {version}: {why}; {_KNOWN}") from None
    described: dict[str, Any] = json.loads(
        toolchain.run(go, ["mod", "edit", "-json", file], folder)
    )
    if "Go" not in described:
        raise ArtifactError(f"kube-proxy {version} is older than Go's modules; {_KNOWN}")
    return described


def _nearest(version: str, served: list[str]) -> str:
    """Which versions are next to one that nobody serves; empty text where it is served."""
    ordered = sorted(served, key=_order)
    place = bisect.bisect(ordered, _order(version), key=_order)
    near = ", ".join(ordered[max(0, place - 2) : place + 1])
    return "" if version in served else f"nobody serves it (nearest: {near})"


def _order(version: str) -> tuple[object, ...]:
    """What puts versions in order: a release comes after its candidates."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return (0,)
    *numbers, stage, number = match.groups()
    return (*map(int, numbers), stage or "release", int(number or 0))


def module_file(version: str, kubernetes: dict[str, Any]) -> str:
    """The go.mod of a module that builds kube-proxy ``version``.

    ``kubernetes`` describes the go.mod of ``k8s.io/kubernetes`` itself. Its ``godebug`` settings
    count only in the main module, so they are repeated; so are replacements by something other than
    a folder of its own.
    """
    staged = re.sub(r"^1\.", "v0.", version)
    staging = {one["Path"] for one in kubernetes["Require"] if one["Version"] == "v0.0.0"}
    replaced = {path: f"{path} {staged}" for path in sorted(staging)}
    for one in kubernetes.get("Replace") or []:
        if one["New"].get("Version"):
            replaced[one["Old"]["Path"]] = f"{one['New']['Path']} {one['New']['Version']}"
    return "\n".join(
        [
            "module kube-proxy-conformance/other",
            f"go {kubernetes['Go']}",
            *(f"godebug {one['Key']}={one['Value']}" for one in kubernetes.get("Godebug") or []),
            f"require k8s.io/kubernetes v{version}",
            f"require k8s.io/component-base {staged}",
            *(f"replace {old} => {new}" for old, new in replaced.items()),
            "",
        ]
    )
