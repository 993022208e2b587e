from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clusters import implementation
from clusters.implementation import FOLDER, Deployment, fill, merge
from clusters.implementations import expectations
from specification.errors import ImplementationError
from tests.clusters.conftest import Written

GOOD = """
name = "other"
binary = "other"
version = ["{binary}", "--version"]
argv = ["{binary}", "--node={node_name}"]
ready = ""
config = "config.json"
features = ["sctp"]

[environment]
NODE = "{node_name}"

[files."config.json"]
mode = "{mode}"
limits = { period = "10ms", count = 3 }

[modes.fast]
present = ["true"]
rules = [["nft", "list", "ruleset"]]
features = ["bursts"]

[modes.slow]
present = ["false"]
rules = []
"""


def test_every_committed_implementation_loads() -> None:
    names = {path.stem for path in FOLDER.glob("*.toml") if "." not in path.stem}
    assert "kube-proxy" in names
    for name in names:
        assert implementation.load(name).modes


def test_file_is_read(written: Written) -> None:
    path = written(GOOD)
    read = implementation.load(path)
    assert (read.name, read.binary, read.artifact) == ("other", "other", "")
    assert read.path == Path(path)
    assert set(read.modes) == {"fast", "slow"}
    assert read.modes["fast"].rules == [["nft", "list", "ruleset"]]


@pytest.mark.parametrize(
    ("mode", "feature", "claimed"),
    [
        ("fast", "sctp", True),
        ("slow", "sctp", True),
        ("fast", "bursts", True),
        ("slow", "bursts", False),
        ("fast", "other", False),
    ],
)
def test_features_are_claimed_for_all_modes_or_for_one(
    written: Written, mode: str, feature: str, claimed: bool
) -> None:
    assert implementation.load(written(GOOD)).claims(mode, feature) is claimed


LACKING = """

[[lacking]]
versions = "<1.34"
features = ["sctp", "bursts"]
reference = "https://example.org/since"
"""


@pytest.mark.parametrize(
    ("version", "claimed"),
    [("v1.33.13", set()), ("v1.34.0", {"sctp", "bursts"}), ("devel", {"sctp", "bursts"})],
)
def test_a_release_claims_no_more_than_it_has(
    written: Written, version: str, claimed: set[str]
) -> None:
    found = implementation.load(written(GOOD + LACKING)).of(version)
    assert found.claimed("fast") == claimed
    assert found.claimed("slow") == claimed - {"bursts"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"<1.34"', '"before 2"', "[[lacking]] number 1: versions: 'before 2' is none such as"),
        ('"bursts"]\nref', '"policy-drops"]\nref', "no mode claims 'policy-drops' at all"),
    ],
)
def test_what_releases_lack_is_looked_at(
    written: Written, old: str, new: str, message: str
) -> None:
    with pytest.raises(ImplementationError, match=re.escape(message)):
        implementation.load(written((GOOD + LACKING).replace(old, new)))


def test_a_release_is_told_what_it_has_to_be_told(written: Written) -> None:
    told = 'reference = "x"\nconfig = { gate = true }\n'
    old = '\n[[lacking]]\nversions = "<1.31"\nfeatures = []\n'
    found = implementation.load(written(GOOD + old + told))
    assert '"gate": true' in found.of("v1.30.4").files_for({}, None)[found.config]
    assert "gate" not in found.of("v1.31.0").files_for({}, None)[found.config]


def test_kube_proxy_knows_no_hints_for_nodes_before_1_34() -> None:
    found = implementation.load("kube-proxy")
    claims = {v: found.of(v).claims("nftables", "node-hints") for v in ("v1.33.13", "v1.36.3")}
    assert claims == {"v1.33.13": False, "v1.36.3": True}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "other"', "", "name is missing"),
        ('name = "other"', "name = 3", "name: str is needed, not 3"),
        ('name = "other"', 'name = "other"\nnmae = "x"', "nmae is unknown; known are "),
        (
            'argv = ["{binary}", "--node={node_name}"]',
            'argv = "other"',
            "argv: array is needed, not 'other'",
        ),
        (
            'argv = ["{binary}", "--node={node_name}"]',
            "argv = [1]",
            "argv[0]: str is needed, not 1",
        ),
        ('features = ["sctp"]', 'features = "sctp"', "features: array is needed"),
        ('["sctp"]', '["stcp"]', "features: no feature is called 'stcp'; the nearest is 'sctp'"),
        (
            '["bursts"]',
            '["burst"]',
            "no feature is called 'burst'; the nearest is 'bursts'",
        ),
        ('NODE = "{node_name}"', "NODE = 1", "environment[...]: str is needed"),
        ('ready = ""', 'ready = ""\nready_timeout = true', "ready_timeout: int is needed"),
        ("[environment]", "[files]\nplain = 3\n[environment]", "files[...]: str | table is needed"),
        ('present = ["true"]', "", "[modes.fast]: present is missing"),
        ('present = ["true"]', 'presnet = ["true"]', "[modes.fast]: presnet is unknown"),
        ("rules = []", 'rules = ["nft"]', "[modes.slow]: rules[0]: array is needed"),
        ('ready = ""', 'ready = ""\nready_timeout = "1m"', "ready_timeout: int is needed"),
    ],
)
def test_wrong_file_is_refused_in_one_line(
    written: Written, old: str, new: str, message: str
) -> None:
    assert old in GOOD
    with pytest.raises(ImplementationError) as refused:
        implementation.load(written(GOOD.replace(old, new)))
    assert message in str(refused.value)
    assert "other.toml" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("modes", ["", "modes = {}", 'modes = "fast"', "modes = { fast = 1 }"])
def test_modes_are_tables(written: Written, modes: str) -> None:
    top = GOOD.partition("[environment]")[0]
    with pytest.raises(ImplementationError, match="table"):
        implementation.load(written(f"{top}{modes}\n"))


KIND = """
[kind]
manifest = "manifest.yaml"
daemonset = "network/other"
binary = "/bin/other"
"""


def test_what_deploys_it_is_read(written: Written) -> None:
    assert implementation.load(written(GOOD)).kind is None
    kind = implementation.load(written(GOOD + KIND)).kind
    assert kind == Deployment(
        manifest="manifest.yaml", daemonset="network/other", binary="/bin/other"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('binary = "/bin/other"', "", "[kind]: binary is missing"),
        ('binary = "/bin/other"', 'binary = "x"\nimage = "y"', "[kind]: image is unknown"),
        ('"manifest.yaml"', '["manifest.yaml"]', "[kind]: manifest: str is needed"),
        ('"network/other"', '"other"', "[kind]: daemonset: namespace/name is needed, not 'other'"),
        (KIND, 'kind = "kubeadm"', "[kind]: a table is needed, not 'kubeadm'"),
    ],
)
def test_wrong_deployment_is_refused_in_one_line(
    written: Written, old: str, new: str, message: str
) -> None:
    text = KIND.replace(old, new)
    with pytest.raises(ImplementationError) as refused:
        implementation.load(written(text + GOOD if "[kind]" not in text else GOOD + text))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_bad_toml_is_refused(written: Written) -> None:
    with pytest.raises(ImplementationError, match=r"other\.toml cannot be read: "):
        implementation.load(written("name = "))


def test_text_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_bytes(b'name = "\xff"')
    with pytest.raises(ImplementationError, match="cannot be read"):
        implementation.load(str(path))


def test_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    for name in ("kube-porxy", str(tmp_path / "missing.toml")):
        with pytest.raises(ImplementationError, match=r"there is no implementation .*kube-proxy"):
            implementation.load(name)


def test_expected_failures_name_requirements_that_there_are(
    run_suite: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    listed = run_suite("conformance", "--list-requirements").stdout
    there_are = set(re.findall(r"^([a-z0-9-]+) \(", listed, re.MULTILINE))
    assert "cip-tcp-dnat" in there_are
    for path in (
        *FOLDER.glob("*.toml"),
        *(Path(__file__).parents[1] / "implementations").glob("*.toml"),
    ):
        if "." not in path.stem:
            known = expectations.of(implementation.load(str(path)))
            assert {each.requirement for each in known} <= there_are


# --- what is filled in and merged -----------------------------------------------------------------


def test_words_in_braces_are_filled_in_everywhere() -> None:
    template = {"a": ["{mode}", {"b": "x-{mode}-{other}"}], "c": 3, "d": True}
    assert fill(template, {"mode": "fast"}) == {
        "a": ["fast", {"b": "x-fast-{other}"}],
        "c": 3,
        "d": True,
    }


@pytest.mark.parametrize(
    ("base", "changes", "merged"),
    [
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}, {"a": {"b": 1, "c": 3}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({}, {"a": None}, {}),
        ({}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ],
)
def test_changes_are_laid_over_a_table(
    base: dict[str, Any], changes: dict[str, Any], merged: dict[str, Any]
) -> None:
    before = json.dumps(base)
    assert merge(base, changes) == merged
    assert json.dumps(base) == before


def test_configuration_of_a_test_is_merged_into_the_config_file(written: Written) -> None:
    read = implementation.load(written(GOOD))
    files = read.files_for({"mode": "fast"}, {"limits": {"period": "1s"}, "more": True})
    assert json.loads(files["config.json"]) == {
        "mode": "fast",
        "limits": {"period": "1s", "count": 3},
        "more": True,
    }
    again = read.files_for({"mode": "slow"}, None)
    assert json.loads(again["config.json"])["limits"] == {"period": "10ms", "count": 3}


def test_file_of_text_is_written_as_it_is(written: Written) -> None:
    text = 'config = ""\nfiles = { plain = "mode={mode}" }\n'
    stripped = GOOD.replace('config = "config.json"\n', "").partition("[files")
    modes = stripped[2].partition("[modes.fast]")
    read = implementation.load(written(text + stripped[0] + "".join(modes[1:])))
    assert read.files_for({"mode": "fast"}, None) == {"plain": "mode=fast"}


def test_configuration_needs_a_file_that_takes_it(written: Written) -> None:
    read = implementation.load(written(GOOD.replace('config = "config.json"\n', "")))
    with pytest.raises(ImplementationError, match="no config file that a test could vary"):
        read.files_for({}, {"mode": "slow"})


# --- expected failures ----------------------------------------------------------------------------
