"""Objects are read from YAML and JSON, each with its place."""

from __future__ import annotations

import json

import pytest
import yaml

from foretell.manifests.text import Place, objects
from specification.errors import ManifestError

TWO = """\
# two documents, and one that is empty
kind: Service
spec: {ports: [{port: 80, name: "80"}], a: ~}
---
---
kind: Node
metadata:
  name: one
"""
LIST = """\
apiVersion: v1
items:
- kind: Service
  metadata: {name: a}
- kind: Service
  metadata: {name: b}
kind: List
"""


def read(text: str) -> list[tuple[str, object]]:
    return [(str(place), each) for place, each in objects(text.encode(), "a.yaml")]


def test_documents_are_objects_where_they_begin() -> None:
    (first, service), (second, node) = read(TWO)
    assert (first, second) == ("a.yaml:2", "a.yaml:6")
    assert service == {"kind": "Service", "spec": {"ports": [{"port": 80, "name": "80"}]}}
    assert node == {"kind": "Node", "metadata": {"name": "one"}}


def test_a_list_is_the_objects_in_it() -> None:
    assert [place for place, _ in read(LIST)] == ["a.yaml:3", "a.yaml:5"]
    assert [each for _, each in read(LIST)] == yaml.safe_load(LIST)["items"]


def test_json_is_read_too() -> None:
    text = json.dumps(yaml.safe_load(LIST) | {"nothing": None})
    assert [each for _, each in read(text)] == yaml.safe_load(LIST)["items"]
    assert [place for place, _ in read(text)] == ["a.yaml, item 1", "a.yaml, item 2"]
    assert read('{"kind": "Node", "a": {"b": null}}') == [("a.yaml", {"kind": "Node", "a": {}})]


def test_what_is_named_once_may_stand_twice() -> None:
    ((_, found),) = read("kind: a\none: &x {name: b}\ntwo: [*x, *x]\n")
    assert found == {"kind": "a", "one": {"name": "b"}, "two": [{"name": "b"}] * 2}


@pytest.mark.parametrize(
    "text",
    [
        "a: yes\nb: 1.5\nc: 0x10\nd: 'true'\ne: 007x\nf: -3\n",
        "a: |\n  two\n  lines\nb: 10.96.0.1\nc: 2001:db8::1\nd: True\n",
    ],
)
def test_scalars_are_what_the_field_takes_them_for(text: str) -> None:
    """As Kubernetes reads YAML, but for words and numbers that no field of a Service has."""
    ((_, found),) = read(text)
    others = {"yes": True, "1.5": 1.5, "0x10": 16}
    expected = yaml.safe_load(text)
    assert isinstance(found, dict)
    assert {key: others.get(str(value), value) for key, value in found.items()} == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\nb: 2\n", r"a\.yaml:2: did not find expected ',' or '\]'"),
        ("- kind: Service\n", r"a\.yaml:1: an object is needed here"),
        ("just words\n", r"a\.yaml:1: an object is needed here"),
        ("items:\n- 3\n", r"a\.yaml:2: an object is needed here"),
        ("a:\n  1: b\n", r"a\.yaml:2: a name is needed here, not 1"),
        ("a: &x {b: c}\nd:\n  <<: *x\n", r"a\.yaml:3: merge keys \(<<\) are not read"),
        ("a: *nobody\n", r"a\.yaml:1: nothing is called \*nobody"),
        ('{"kind":\n"a",}', r"a\.yaml:2: no JSON: "),
        ('{"items": [3]}', r"a\.yaml, item 1: an object is needed, not 3"),
        ("a: \x01\n", r"a\.yaml.*: "),
    ],
)
def test_what_makes_no_sense_is_one_line_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message) as refused:
        read(text)
    assert "\n" not in str(refused.value)


def test_bytes_that_are_no_text_are_bad_input() -> None:
    with pytest.raises(ManifestError, match="no YAML"):
        list(objects(b"a: \xff\xfe\xfa\n", "a.yaml"))


def test_a_place_says_what_it_knows() -> None:
    assert str(Place("a")) == "a"
