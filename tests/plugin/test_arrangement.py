"""What tests arrange before they begin: which stand together, and whose fault it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from clusters.simulated.api import MemoryApi
from fixtures.plugin import arrangement, selection
from fixtures.plugin.arrangement import SIZE, arranged, stages
from fixtures.world import fixtures
from specification.errors import CannotJudgeError, RefusedError, SettleError, UsageError
from specification.services import Port
from tests.services.test_services import Settled, services
from tests.simulated.playing import player

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fixtures.services.stage import Arranged
    from fixtures.world.world import World

MODES = ("iptables", "nftables")


class Item:
    """Stands in for a test: its name, its marks and its parameters."""

    def __init__(self, name: str, *marks: pytest.MarkDecorator, **params: Any) -> None:
        self.nodeid = self.name = name
        self.fixturenames = ["webs"] if marks else []
        self.callspec = SimpleNamespace(params=params)
        self._marks = [each.mark for each in marks]

    def iter_markers(self, name: str) -> Any:
        return iter([each for each in self._marks if each.name == name])

    def get_closest_marker(self, name: str) -> Any:
        return next(self.iter_markers(name), None)


def item(name: str, *marks: pytest.MarkDecorator, **params: Any) -> pytest.Item:
    return cast("pytest.Item", Item(name, *marks, **params))


def test_a_stage_has_so_many_tests_of_one_mode_and_area() -> None:
    tests = [
        f"{area}/test_a.py::test_a[IPv4-{number}-{mode}]"
        for mode in MODES
        for area, count in (("wide", 150), ("narrow", 3))
        for number in range(count)
    ]
    sizes = [len(each) for each in stages(tests, MODES)]
    assert sizes == [*(22, 22, 22, 21, 21, 21, 21, 3), *(22, 22, 22, 21, 21, 21, 21, 3)]
    found = stages(tests, MODES, workers=2)
    assert [name for stage in found for name in stage] == tests
    assert [len(each) for each in found][:7] == sizes[:7]
    last = [len(each) for each in found][9:]
    assert last == sorted(last, reverse=True)  # what is left gets less
    assert last[-3:] == [1, 1, 1]


def test_a_census_is_one_stage() -> None:
    """However many look at it: two workers would each take it."""
    area = "conformance/census/combinations"
    tests = [f"{area}/test_a.py::test_{number}[nftables]" for number in range(3 * SIZE)]
    other = [f"conformance/census/test_b.py::test_{number}[nftables]" for number in range(30)]
    for workers in (1, 2):
        assert stages([*tests, *other], MODES, workers) == [tests, other]


def test_modes_may_have_hyphens() -> None:
    modes = ("nftables", "nftables-leak", "nftables-leak-slow")
    tests = [f"area/test_a.py::test_a[IPv4-{mode}-TCP]" for mode in modes]
    assert [arrangement.mode_of(each, modes) for each in tests] == list(modes)
    assert arrangement.mode_of("area/test_a.py::test_a[IPv4-nftables2]", modes) == ""
    assert stages(tests, modes) == [[each] for each in tests]


def arrange(test: pytest.Item, **params: Any) -> Arranged:
    made = services(MemoryApi(), Settled(), "IPv4", **params)
    return arrangement.of(test, made)


def test_endpoints_and_fields_are_those_of_a_spec() -> None:
    found = arrange(item("a", arranged(2, type="NodePort")), protocol="UDP")
    (spec,) = found.specs
    assert len(spec.endpoints) == 2
    assert (spec.type, spec.families, spec.ports[0].protocol) == ("NodePort", ("IPv4",), "UDP")
    assert not found.shared


def test_a_function_is_given_the_parameters_that_it_names() -> None:
    def built(service: Any, vantage: str, ports: int) -> Any:
        return [service.spec(1, ports=[Port(80 + n)], labels={"at": vantage}) for n in range(ports)]

    found = arrange(item("a", arranged(built), ports=2))
    assert [(each.ports[0].number, each.labels["at"]) for each in found.specs] == [
        (80, "pod"),
        (81, "pod"),
    ]
    with pytest.raises(ValueError, match="has the fields that it says"):
        arranged(built, type="NodePort")


def test_what_is_shared_is_told_apart_by_all_that_makes_it() -> None:
    def built(service: Any, vantage: str) -> Any:
        return service.spec(1 if vantage == "pod" else 2)

    same = [arrange(item(name, arranged(3, shared=True))) for name in "ab"]
    assert same[0].shared == same[1].shared
    assert same[0].specs[0].families == ("IPv4", "IPv6")
    others = [
        arrange(item("a", arranged(2, shared=True))),
        arrange(item("a", arranged(3, shared=True, type="NodePort"))),
        arrange(item("a", arranged(3, shared=True)), protocol="UDP"),
        arrange(item("a", arranged(built, shared=True), vantage="pod")),
        arrange(item("a", arranged(built, shared=True), vantage="outside")),
    ]
    assert len({each.shared for each in [*same, *others]}) == 6


@pytest.mark.parametrize(
    "fields", [{"name": "mine"}, {"ports": [Port(node_port=30_080)]}], ids=["name", "node-port"]
)
def test_what_others_may_have_cannot_be_arranged(fields: dict[str, Any]) -> None:
    with pytest.raises(pytest.UsageError, match="what another may have"):
        arrange(item("a", arranged(1, **fields)))


def test_a_test_says_what_it_asks_for_and_asks_for_what_it_says() -> None:
    asking, saying = Item("asks"), Item("says", arranged())
    asking.fixturenames, saying.fixturenames = ["webs"], []
    for test, problem in ((asking, "say what these are"), (saying, "uses none")):
        with pytest.raises(pytest.UsageError, match=problem):
            arrangement.has(cast("pytest.Item", test))


def test_such_a_test_is_bad_input_of_a_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def webs():
            return []

        @pytest.mark.requirement("asks", level="core", references=(), feature=None)
        def test_asks(webs):
            '''What stands must be said.'''
        """
    )
    config = pytester.parseconfig("-p", "no:conformance")
    asked = SimpleNamespace(keyword="", markexpr="")
    with pytest.raises(UsageError, match=r"test_asks asks for web or webs"):
        selection.check(config, cast("Any", asked), ())


class OneBad:
    """Stands in for a node's stage that cannot have the Services of one test, or no more than so
    many together.
    """

    def __init__(self, problem: CannotJudgeError, most: int = 9) -> None:
        self.problem = problem
        self.most = most
        self.asked: list[list[str]] = []

    def set(self, wanted: Mapping[str, object]) -> None:
        self.asked.append(list(wanted))
        if "bad" in wanted or len(wanted) > self.most:
            raise self.problem


def around(stage: OneBad) -> World:
    made = services(MemoryApi(), Settled(), "IPv4")
    found = player(1).world
    found.stage = cast("Any", stage)
    found.services = lambda *_: made  # type: ignore[method-assign]
    return found


def set_in_turn(stage: OneBad, *names: str) -> dict[str, str]:
    """Have each of these tests come to its turn: what is said to those that have an error."""
    world, tests = around(stage), [item(name, arranged()) for name in names]
    said = dict[str, str]()
    for number, name in enumerate(names):
        if not stage.asked or [*names] != stage.asked[-1]:  # else they stand already
            try:
                fixtures._set_the_stage(world, tests[number:], lambda: "a-name")
            except CannotJudgeError as problem:
                said[name] = str(problem)
    return said


def test_what_does_not_settle_is_the_fault_of_its_own_test_alone() -> None:
    stage = OneBad(SettleError("not seen"))
    assert set_in_turn(stage, "first", "bad", "last") == {"bad": "not seen"}
    assert stage.asked == [["first", "bad", "last"], ["first"], ["bad"], ["last"]]


def test_what_settles_alone_and_not_together_is_an_error_all_the_same() -> None:
    """Nothing is tried again until it passes."""
    stage = OneBad(SettleError("not seen"), most=2)
    said = {"last": "not together, though each that was asked for alone: not seen"}
    assert set_in_turn(stage, "first", "second", "last") == said


def test_it_is_one_at_the_end_where_some_never_had_their_turn() -> None:
    """Such as those that are skipped: what the others have is no reason."""
    world, tests = (
        around(OneBad(SettleError("not seen"))),
        [item(name, arranged()) for name in ("first", "bad")],
    )
    fixtures._set_the_stage(world, tests, lambda: "a-name")
    with pytest.raises(SettleError, match="each that was asked for alone: not seen"):
        world.explain(*world.apart)
    world.explain(*world.apart)


def test_what_stands_together_is_no_error() -> None:
    assert set_in_turn(OneBad(SettleError("not seen")), "first", "second", "last") == {}


def test_one_bad_arrangement_is_the_fault_of_its_own_test_alone() -> None:
    stage = OneBad(RefusedError("no", 422))
    world, tests = around(stage), [item(name, arranged()) for name in ("first", "bad", "last")]
    fixtures._set_the_stage(world, tests, lambda: "a-name")
    with pytest.raises(RefusedError):
        fixtures._set_the_stage(world, tests[1:], lambda: "a-name")
    fixtures._set_the_stage(world, tests[2:], lambda: "a-name")
    assert stage.asked == [["first", "bad", "last"], ["first"], ["bad", "last"], ["bad"], ["last"]]
