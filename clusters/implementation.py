"""What an implementation under test is: a TOML file that says how to run a Service proxy and what
it claims.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from clusters.implementations import tables, versions
from specification import features
from specification.errors import ImplementationError

FOLDER = Path(__file__).parent / "implementations"

SYNC_PERIOD = "10ms"
"""minSyncPeriod of every mode: short enough to show the proxy itself."""

EMULATED_SYNC_PERIOD = "500ms"
"""The same where processors are emulated: there a sync takes longer than the short one."""


class Mode(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One mode of an implementation."""

    present: list[str]
    """A command on the node that succeeds only when this mode has programmed the kernel."""
    rules: list[list[str]]
    """Commands whose output shows what is programmed; evidence of a failing test."""
    stepwise: bool = False
    """Whether a sync changes one thing after another and may be seen half done. The last addresses
    that it gives up must be those which no Service has any more.
    """
    trial: list[str] = []
    """A command that succeeds, in a new network namespace, only where this machine's kernel can run
    the mode; where it fails, the node is a virtual machine. Without one every kernel can.
    """
    features: frozenset[str] = frozenset()
    """What this mode claims beyond ``Implementation.features``."""


class Lacking(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What some releases do not have, or not by default."""

    versions: str
    """As in Python's packaging: ``<1.34``."""
    features: frozenset[str]
    """What they do not claim, although the file does."""
    reference: str
    """Who says so."""
    reason: str = ""
    """What they do instead, or since when it is otherwise, for who compares releases."""
    read: str = ""
    """Versions of which that was read in their source, and seen in no run: ``>=1.38``."""
    config: dict[str, Any] = {}
    """What they have to be told besides in ``config``."""


class Deployment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How an implementation gets onto the nodes of a kind cluster: as its users have it, by a
    manifest whose pods run it. (``--provider kind``; each mode has a cluster, made without any
    Service proxy.)

    What the pods run and with which arguments is the manifest's business; ``argv``, ``environment``
    and ``files`` are for other nodes.
    """

    manifest: str
    """A file of Kubernetes objects (YAML), relative to the TOML file, for ``kubectl apply``. These
    words in braces are filled in: mode, cluster_cidrs, min_sync_period, and server, server_host,
    server_port: where every node reaches the API server while nothing serves its Service (say, for
    KUBERNETES_SERVICE_HOST).
    """
    daemonset: str
    """The DaemonSet among them that is the proxy, as ``namespace/name``: its pods' first container
    is what is started, stopped and killed.
    """
    binary: str
    """The program in its image: ``{binary}`` of ``version`` and ``cleanup``, which are run there,
    the first before anything else.
    """
    images: list[str] = []
    """A command that prints images as ``docker save`` does, for nodes that are not to pull them:
    ``["docker", "save", "my-proxy:dev"]``, ``["cat", "my-proxy.tar"]``. It runs in the TOML file's
    folder, without a network.
    """
    configmap: str = ""
    """The ConfigMap beside the DaemonSet, mounted as a volume, of which ``config`` (in YAML or
    JSON) is the entry that a test's ``config=`` is merged into; ``""`` where no test may.
    """


class Implementation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A Service proxy that can be run on a node.

    In ``argv``, ``cleanup``, ``version``, ``environment``, ``ready``, ``metrics`` and ``files``
    these words in braces are filled in: binary, mode, directory (a folder of the node's own),
    node_name, kubeconfig, server (the API server's URL), management_address, cluster_cidrs
    (IPv4,IPv6), node_ipv4, node_ipv6, min_sync_period (for how long changes are best gathered:
    10ms, and longer where the node's processor is emulated).
    """

    path: Path
    name: str
    modes: dict[str, Mode]
    argv: list[str]
    ready: str | list[str]
    """A URL on the management wire that answers 2xx once the proxy works, or a command on the node
    that succeeds then, or ``""``: ready when it runs.
    """
    ready_timeout: int = 60
    """Seconds that the proxy has to become ready; four times as many on an emulated node."""
    hooks: list[str] = []
    """A program that does what cannot be said here: see clusters/embedded/hooks.py. What it answers
    to ``node-up`` as ``values`` are further words in braces.
    """
    privileges: Literal["none", "root", "bpf"] = "none"
    """What it needs of the machine: nothing but user namespaces, root, or also BPF with a control
    group of its own. Who runs the suite without is told so.
    """
    pods: int = 0
    """How many pods of a node are announced to the proxy at once, by the hook program, where it has
    to be told of each; their addresses are used again. 0: it need not be told.
    """
    settles: bool = True
    """Whether a change ever shows. Who programs nothing (a negative control) is not waited for: all
    counts as in force at once.
    """
    version: list[str]
    """A command that prints the version, on standard output or, failing that, on standard error."""
    version_pattern: str = r"(v?\d\S*)\s*$"
    """A regular expression that finds the version in what ``version`` prints, as its group 1."""
    artifact: str = ""
    """What the suite builds where ``--proxy-binary`` names none."""
    binary: str = ""
    """A program's path, relative to the TOML file; alternative to ``artifact``."""
    environment: dict[str, str] = {}
    metrics: str = ""
    """A URL in Prometheus' text format; ``""`` where there is none."""
    cleanup: list[str] = []
    """A command that removes everything the proxy has programmed; empty where there is none."""
    files: dict[str, dict[str, Any] | str] = {}
    """Files for ``directory``: a table is written as JSON, a string as it is."""
    config: str = ""
    """The one of ``files`` that a test's ``config=`` is merged into."""
    expected_failures: str = ""
    """A TOML file beside this one: see clusters/implementations/expectations.py."""
    unreached: str = ""
    """A TOML file beside this one: see clusters/implementations/unreached.py."""
    features: frozenset[str] = frozenset()
    """Features (names of extended requirements) that every mode claims."""
    lacking: tuple[Lacking, ...] = ()
    """Tables ``[[lacking]]``, of releases that do not claim all of it."""
    organization: str = ""
    """Whose it is; this and the next two stand in the conformance report that can be published."""
    url: str = ""
    """Where it is described."""
    contact: list[str] = []
    """Whom to ask about it: addresses of mail, chat or issue trackers."""
    kind: Deployment | None = None
    """How it gets onto kind nodes; ``None`` where it cannot, or where kubeadm brings it."""

    def claims(self, mode: str, feature: str) -> bool:
        """Whether ``feature`` is claimed in ``mode``."""
        return feature in self.features or feature in self.modes[mode].features

    def claimed(self, mode: str) -> frozenset[str]:
        """All features that are claimed in ``mode``."""
        return frozenset({*self.features, *self.modes[mode].features})

    def of(self, version: str) -> Implementation:
        """The implementation as it is in a version: without the features that it lacks, told what
        that version has to be told.
        """
        lacking = [each for each in self.lacking if versions.cover(each.versions, version)]
        missing = frozenset[str]().union(*(each.features for each in lacking))
        files: dict[str, Any] = dict(self.files)
        for each in lacking:
            if each.config:
                files[self.config] = merge(files[self.config], each.config)
        modes = {
            name: msgspec.structs.replace(mode, features=mode.features - missing)
            for name, mode in self.modes.items()
        }
        return msgspec.structs.replace(
            self, modes=modes, features=self.features - missing, files=files
        )

    def files_for(
        self, values: Mapping[str, str], config: Mapping[str, Any] | None
    ) -> dict[str, str]:
        """The text of each file with the words in braces filled in and ``config`` merged into the
        config file.

        Raises:
            ImplementationError: there is a ``config`` but no config file that could take it.
        """
        files = {name: fill(content, values) for name, content in self.files.items()}
        if config:
            if not isinstance(files.get(self.config), dict):
                raise ImplementationError(
                    f"{self.name} has no config file that a test could vary ({self.path})"
                )
            files[self.config] = merge(files[self.config], config)
        return {
            name: content if isinstance(content, str) else json.dumps(content, indent=2)
            for name, content in files.items()
        }


OWN_ADDRESSES: Final = {"IPv4": "{node_ipv4}/32", "IPv6": "{node_ipv6}/128"}
"""The node's primary addresses as networks by family, in words that are filled in."""


def fill(template: Any, values: Mapping[str, str]) -> Any:
    """Fill the words in braces into every string of a TOML value."""
    if isinstance(template, str):
        for key, value in values.items():
            template = template.replace("{" + key + "}", value)
        return template
    if isinstance(template, dict):
        return {key: fill(value, values) for key, value in template.items()}
    if isinstance(template, list):
        return [fill(value, values) for value in template]
    return template


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes`` laid over it, table by table; ``None`` removes a key."""
    merged = dict(base)
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            merged[key] = merge(merged.get(key) or {}, value)
        else:
            merged[key] = value
    return merged


def load(name_or_path: str) -> Implementation:
    """Read the implementation of that name in ``clusters/implementations``, or the TOML file at
    that path.

    Raises:
        ImplementationError: no such file, no TOML, a key that is unknown, missing or of the wrong
            type, or a feature that is unknown.
    """
    made, wrong = read(located(name_or_path))
    if made is None or wrong:
        raise ImplementationError(wrong[0])
    return made


def located(name_or_path: str) -> Path:
    """The TOML file that a name or a path is about. Raises ImplementationError: there is none."""
    own = (FOLDER / f"{name_or_path}.toml", FOLDER / name_or_path / f"{name_or_path}.toml")
    there = [Path(name_or_path)] if name_or_path.endswith(".toml") else [*filter(Path.exists, own)]
    path = there[0] if there else own[0]
    if not path.exists():
        alone = (each.stem for each in FOLDER.glob("*.toml") if "." not in each.stem)
        with_more = (each.stem for each in FOLDER.glob("*/*.toml") if each.stem == each.parent.name)
        known = ", ".join(sorted((*alone, *with_more)))
        raise ImplementationError(
            f"there is no implementation {name_or_path}: give one of {known}, or the path of"
            " a TOML file"
        )
    return path.absolute()


def read(path: Path) -> tuple[Implementation | None, list[str]]:
    """What stands in a TOML file, if that is an implementation at all, and all that is wrong in it,
    a line each. Raises ImplementationError where it cannot be read.
    """
    table = tables.read(path, ImplementationError)
    if wrong := list(_unfit(table, path)):
        return None, wrong
    made = msgspec.convert({**table, "path": path.resolve()}, Implementation)
    return made, list(_contradictions(made))


def _unfit(table: Mapping[str, Any], path: Path) -> Iterator[str]:
    """What does not fit in a file's tables, each of them looked at by itself: msgspec would not say
    in which mode something is wrong.
    """
    modes, kind, lacking = table.get("modes"), table.get("kind"), table.get("lacking", [])
    if not isinstance(modes, dict) or not modes:
        yield f"{path}: at least one table [modes.NAME] is needed"
        modes = {}
    for name, mode in modes.items():
        yield from tables.mistakes(mode, Mode, f"{path}: [modes.{name}]")
    if kind is not None:
        yield from tables.mistakes(kind, Deployment, f"{path}: [kind]")
    for number, each in enumerate(lacking if isinstance(lacking, list) else [], start=1):
        yield from tables.mistakes(each, Lacking, _lacking(path, number))
    apart = {"modes": {}, "path": path, "kind": None} | (
        {"lacking": []} if isinstance(lacking, list) else {}
    )
    yield from tables.mistakes({**table, **apart}, Implementation, str(path))


def _lacking(path: Path, number: int) -> str:
    return f"{path}: [[lacking]] number {number}"


def _contradictions(made: Implementation) -> Iterator[str]:
    """What does not go together in an implementation, a line each."""
    path = made.path
    if made.kind and not all(made.kind.daemonset.partition("/")):
        yield (f"{path}: [kind]: daemonset: namespace/name is needed, not {made.kind.daemonset!r}")
    if made.pods and not made.hooks:
        yield f"{path}: pods: there is no program in hooks that they could be announced to"
    claimed = made.features.union(*(mode.features for mode in made.modes.values()))
    yield from (f"{path}: features: {each}" for each in features.unknown(claimed))
    for number, each in enumerate(made.lacking, start=1):
        where = _lacking(path, number)
        yield from versions.faults(each.versions, where)
        yield from versions.faults(each.read, where)
        if each.config and not isinstance(made.files.get(made.config), dict):
            yield f"{where}: config: there is no config file to lay it over"
        for name in sorted(each.features - claimed):
            yield f"{where}: features: no mode claims {name!r} at all"
