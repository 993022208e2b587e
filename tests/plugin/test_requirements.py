"""The catalogue of requirements: CONFORMANCE.md is generated, and what it says holds together."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from clusters import implementation
from clusters.implementations import expectations
from fixtures.plugin import requirement
from fixtures.plugin.listing import areas, listed
from specification import features
from specification.references import Reference, api, docs, e2e, kep
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def generated() -> str:
    """CONFORMANCE.md as it should be."""
    return _listed("conformance")


def _listed(place: str) -> str:
    words = ["-m", "pytest", place, "--list-requirements=markdown", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_one_area_is_listed_whose_conftest_imports_the_vocabulary() -> None:
    """A conftest that is asked for by its folder is imported before any plugin is configured."""
    assert "nft-" in _listed("conformance/kube_proxy")


def test_conformance_page_is_fresh(generated: str) -> None:
    page = (ROOT / "CONFORMANCE.md").read_text()
    assert page.strip() == generated.strip(), "run ./conform list --markdown > CONFORMANCE.md"


def test_expected_failures_name_requirements(generated: str) -> None:
    for chosen in map(implementation.load, ["kube-proxy"]):
        known = expectations.load(chosen.path.parent / chosen.expected_failures)
        for expected in known:
            assert f"| `{expected.requirement}` |" in generated
            assert set(expected.modes) <= set(chosen.modes)
            assert expected.reference.startswith("https://")


@pytest.mark.parametrize("path", ["kube-proxy", str(ROOT / "tests/implementations/tiny_nft.toml")])
def test_claims_are_about_requirements(generated: str, path: str) -> None:
    chosen = implementation.load(path)
    claimed = chosen.features.union(*(mode.features for mode in chosen.modes.values()))
    unasked = {
        name for name in claimed if f"| {features.FEATURES[name].level}: {name} |" not in generated
    }
    assert not unasked, "claimed, but no requirement asks for it"


def test_every_feature_is_asked_for(generated: str) -> None:
    unasked = {
        feature.name
        for feature in features.FEATURES.values()
        if f"| {feature.level}: {feature.name} |" not in generated
    }
    assert not unasked, "features that no requirement asks for"


def test_requirement_with_an_unknown_feature_is_refused() -> None:
    with pytest.raises(ValueError, match=r"an-id: .* 'stcp'; the nearest is 'sctp'"):
        requirement.requirement("an-id", kep(1), feature="stcp")


def test_what_kubernetes_announces_is_listed_with_its_source(generated: str) -> None:
    rows = [line for line in generated.splitlines() if ", conformance from " in line]
    assert rows, "KEP-5922 announces some"
    for row in rows:
        assert re.search(r"^\| `[\w-]+` \| core, conformance from 1\.\d+ \|", row)
        assert "/test/conformance/testdata/future-conformance.yaml" in row


def test_a_release_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"an-id: conformance: 'soon' is no release such as 1\.41"):
        requirement.requirement("an-id", kep(5922), conformance="soon")


def test_requirement_without_a_source_is_refused() -> None:
    with pytest.raises(ValueError, match="an-id: say where"):
        requirement.requirement("an-id")


def test_references_are_links(generated: str) -> None:
    rows = [line for line in generated.splitlines() if line.startswith("| `")]
    assert len(rows) > 260
    bare = [row for row in rows if not re.search(r"\| (\[[^]]+\]\(https://\S+\)(; )?)+ \|$", row)]
    assert not bare


@pytest.mark.parametrize(
    ("reference", "text", "url"),
    [
        (kep(3866, "motivation"), "KEP-3866, motivation", "https://kep.k8s.io/3866"),
        (
            docs("virtual-ips", "session affinity"),
            "docs: Virtual IPs and Service Proxies, session affinity",
            "https://kubernetes.io/docs/reference/networking/virtual-ips/#session-affinity",
        ),
        (
            docs("service", "type NodePort", "of the node"),
            "docs: Service, type NodePort (of the node)",
            "https://kubernetes.io/docs/concepts/services-networking/service/#type-nodeport",
        ),
        (
            e2e("service", "up", "down"),
            "e2e: service 'up' and 'down'",
            "https://github.com/kubernetes/kubernetes/blob/v1.37.2/test/e2e/network/service.go",
        ),
    ],
)
def test_references_have_words_and_an_address(reference: Reference, text: str, url: str) -> None:
    assert (str(reference), reference.url) == (text, url)


def test_unknown_pages_and_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="servcie: no page of the documentation"):
        docs("servcie")
    with pytest.raises(ValueError, match="Servcie: no kind of object"):
        api("Servcie")


@pytest.mark.parametrize(
    ("statement", "wrong"),
    [
        ("", "is missing"),
        ("A proxy must answer", "not one sentence with a full stop"),
        ("A proxy must answer. It must do so at once.", "not one sentence"),
        ("It must answer 503.", "no subject"),
        ("A connection is answered.", "does not say what must"),
        ("A connection should be answered, and must.", "does not say what must"),
        ("A connection to 10.0.0.1 must be answered, i.e. not refused.", ""),
        ("A proxy may refuse, and must not answer.", ""),
    ],
)
def test_statements_are_whole_sentences_that_demand_something(statement: str, wrong: str) -> None:
    found = requirement.fault(statement)
    assert wrong in found
    assert bool(found) == bool(wrong)


def test_every_folder_of_tests_is_an_area_with_a_title() -> None:
    folders = {path.parent.name for path in (ROOT / "conformance").rglob("test_*.py")}
    assert folders - {"soak"} == set(areas())  # which no list has: it takes --hours


def test_areas_stand_in_the_order_of_reading(generated: str) -> None:
    titles = list(areas().values())
    assert len(set(titles)) == len(titles)
    assert re.findall(r"^## (.+)$", generated, re.MULTILINE) == titles
    contents = re.findall(r"^- \[(.+)\]\(#\S+\), (\d+)$", generated, re.MULTILINE)
    assert [title for title, _ in contents] == titles
    rows = sum(line.startswith("| `") for line in generated.splitlines())
    assert sum(int(count) for _, count in contents) == rows


def test_listed_as_json_they_are_the_records_of_results() -> None:
    entry = requirement.Requirement(
        "an-id", "clusterip", "core", None, (kep(1), kep(2)), "A proxy must.", "test_a.py::test_b"
    )
    (record,) = json.loads(listed([entry], "json"))
    assert record == entry.as_record()
    assert record["reference"] == "KEP-1; KEP-2"
