"""What changes for which Services from one side to the other: by the specification, by what each
side claims, and by what each is known to get wrong.
"""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from clusters.implementations.expectations import Expectation
from conformance.census import kinds as policies
from conformance.census.combinations import kinds as combinations
from conformance.census.decision import Decision
from foretell import advice, decisions, requirements, shapes, traits
from foretell.decisions import Differing
from foretell.manifests.cluster import Cluster
from foretell.requirements import Known, Source
from foretell.shapes import Shape
from foretell.side import Side
from specification.features import FEATURES
from specification.rules.allowed import Allowed
from specification.rules.frontends import Kind
from specification.services import ServiceSpec

_KINDS: Final = {**combinations.ALL, **policies.ALL}

Direction = Literal["lost", "gained", "configuration", "fault", "mended", "open"]
"""Of a feature, of what the configuration has decided otherwise, or of a known fault; or of what
may be one thing or another on both sides, so that nobody knows whether it changes.
"""


class Name(NamedTuple):
    """A Service's."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(self)


@dataclass(frozen=True)
class Seen:
    """Where a change shows: at frontends of a kind, by clients at a vantage."""

    frontend: str
    vantage: str
    was: str = ""
    """What becomes of a new connection; empty where that is not known by the Service alone."""
    will: str = ""


@dataclass(frozen=True)
class Change:
    """One thing that is otherwise."""

    direction: Direction
    name: str
    """A feature, a requirement, or "configuration"."""
    says: str
    """What is so no longer, or is so now; or what is demanded and not done."""
    counterpart: str = ""
    """What the other side has in its place."""
    why: str = ""
    """Of a known fault."""
    how_often: str = ""
    """Of a fault that shows by chance alone."""
    advice: str = ""
    sources: tuple[Source, ...] = ()
    requirements: tuple[str, ...] = ()
    services: Mapping[Name, tuple[Seen, ...]] = field(default_factory=dict)
    """Whom it concerns, and where it shows."""
    everywhere: bool = False
    """Whether it concerns no Service more than others, but whoever runs the proxy."""
    example: ServiceSpec | None = None
    """The simplest Service that it concerns, as a shape."""

    @property
    def matters(self) -> bool:
        """Whether somebody has to do something, or loses something."""
        return bool(self.advice) or self.direction in ("lost", "configuration", "fault")


@dataclass(frozen=True)
class Foretold:
    """All of it."""

    before: Side
    after: Side
    cluster: Cluster
    changes: tuple[Change, ...]

    @functools.cached_property
    def concerned(self) -> frozenset[Name]:
        """The Services for which something changes."""
        return frozenset(name for change in self.certain for name in change.services)

    @functools.cached_property
    def certain(self) -> tuple[Change, ...]:
        """The changes that are known to be some."""
        return tuple(each for each in self.changes if each.direction != "open")


def foretell(cluster: Cluster, before: Side, after: Side) -> Foretold:
    """Hold two sides against each other."""
    seen = _Services(cluster)
    found = [
        *_of_features(seen, before, after),
        *_of_configuration(seen, before, after),
        *_of_faults(seen, before, after),
    ]
    if before.who != after.who:
        found += _of_what_is_open(seen, before, after)
    return Foretold(before, after, cluster, tuple(sorted(found, key=_weight)))


def _weight(change: Change) -> tuple[bool, bool, int, str]:
    """What concerns Services comes first, what shows by chance alone last; faults before what is
    lost.
    """
    order = ("fault", "lost", "configuration", "gained", "mended", "open")
    rare = bool(change.how_often)
    return change.everywhere, rare, order.index(change.direction), change.name


class _Services:
    """Services, by their shapes and by what they have."""

    def __init__(self, cluster: Cluster) -> None:
        self.of_shape: dict[Shape, list[Name]] = {}
        self.having: dict[frozenset[traits.Trait], list[Name]] = {}
        self.simplest: dict[frozenset[traits.Trait], Shape] = {}
        for each in cluster.services:
            name, has = Name(each.namespace, each.name), traits.of(each)
            self.having.setdefault(has, []).append(name)
            for shape in shapes.of(each, cluster.zones):
                self.of_shape.setdefault(shape, []).append(name)
                known = self.simplest.setdefault(has, shape)
                self.simplest[has] = min(known, shape, key=_size)

    def that_have(
        self, wanted: Iterable[frozenset[traits.Trait]]
    ) -> tuple[dict[Name, tuple[Seen, ...]], ServiceSpec | None]:
        """Those that have all of one of the sets, and the simplest."""
        sets = list(wanted)
        concerned = [has for has in self.having if any(each <= has for each in sets)]
        found = {name: tuple[Seen, ...]() for has in concerned for name in self.having[has]}
        return found, _simplest(self.simplest[has] for has in concerned)

    def of(
        self, shown: Mapping[Shape, Iterable[Seen]]
    ) -> tuple[dict[Name, tuple[Seen, ...]], ServiceSpec | None]:
        """Those of the shapes, where it shows, and the simplest."""
        found = dict[Name, dict[Seen, None]]()
        for shape, where in shown.items():
            for name in self.of_shape[shape]:
                found.setdefault(name, {}).update(dict.fromkeys(where))
        return {name: tuple(each) for name, each in found.items()}, _simplest(shown)


def _simplest(found: Iterable[Shape]) -> ServiceSpec | None:
    one = min(found, key=_size, default=None)
    return one.spec if one else None


def _size(shape: Shape) -> tuple[int, int, str]:
    return len(shape.spec.ports), len(shape.spec.endpoints), repr(shape.spec)


def _of_features(seen: _Services, before: Side, after: Side) -> Iterator[Change]:
    split = before.features ^ after.features
    replacing = {
        advice.of(each).instead_of: each for each in split if advice.of(each).instead_of in split
    }
    told_with = {other: name for name, other in replacing.items()}
    shown = dict[str, dict[Shape, list[Seen]]]()
    for shape in seen.of_shape:
        for each in decisions.differing(shape, before, after):
            for name in {told_with.get(feature, feature) for feature in each.features}:
                shown.setdefault(name, {}).setdefault(shape, []).append(_seen(each))
    for name in sorted(split - told_with.keys()):
        known, lost = advice.of(name), name in before.features
        todo = known.lost if lost else known.gained
        other = replacing.get(name, "")
        if known.is_idle((before if lost else after).said):
            continue
        if FEATURES[name].level == "mode" and not todo:
            continue
        if known.decided:
            services, example = seen.of(shown.get(name, {}))
            if not services:
                continue
        elif known.concerns:
            services, example = seen.that_have([known.concerns])
            if not services:
                continue
        else:
            services, example = {}, None
        tested = _tested((name, other))
        yield Change(
            "lost" if lost else "gained",
            name,
            FEATURES[name].sentence,
            counterpart=FEATURES[other].sentence if other else "",
            advice=todo,
            sources=_sources(tested),
            requirements=tuple(tested),
            services=services,
            everywhere=not services,
            example=example,
        )


def _of_configuration(seen: _Services, before: Side, after: Side) -> Iterator[Change]:
    shown = dict[Shape, list[Seen]]()
    clauses = set[str]()
    for shape in seen.of_shape:
        for each in decisions.differing(shape, before, after):
            if not each.features:
                shown.setdefault(shape, []).append(_seen(each))
                clauses |= set(each.was.allowed.because) ^ set(each.will.allowed.because)
    says = "What the two configurations say has new connections decided otherwise."
    yield from _by_clauses(seen, "configuration", "configuration", says, shown, clauses)


def _of_what_is_open(seen: _Services, before: Side, after: Side) -> Iterator[Change]:
    shown = dict[Shape, list[Seen]]()
    clauses = set[str]()
    for shape in seen.of_shape:
        for each in decisions.left_open(shape, before, after):
            words = in_words(each.allowed)
            shown.setdefault(shape, []).append(_where(each, words, words))
            clauses |= set(each.allowed.because)
    says = "What becomes of some new connections may be one thing or another."
    yield from _by_clauses(seen, "open", "left-open", says, shown, clauses)


def _by_clauses(
    seen: _Services,
    direction: Direction,
    name: str,
    says: str,
    shown: Mapping[Shape, Iterable[Seen]],
    clauses: Iterable[str],
) -> Iterator[Change]:
    """The change that shows in these shapes, which clauses of the specification know of; none where
    it shows in none.
    """
    if shown:
        services, example = seen.of(shown)
        tested = tuple(dict.fromkeys(decisions.stated_by(sorted(clauses))))
        yield Change(
            direction,
            name,
            says,
            sources=_sources(tested),
            requirements=tested,
            services=services,
            example=example,
        )


def _of_faults(seen: _Services, before: Side, after: Side) -> Iterator[Change]:
    had, has = ({(e.requirement, e.cases): e for e in _in_force(side)} for side in (before, after))
    yield from _struck(seen, before, [had[key] for key in had.keys() - has.keys()], "mended")
    yield from _struck(seen, after, [has[key] for key in has.keys() - had.keys()], "fault")


def _in_force(side: Side) -> Iterator[Expectation]:
    """What a side gets wrong of what it claims."""
    for each in side.failures:
        known = requirements.known().get(each.requirement)
        if known and (not known.feature or known.feature in side.features):
            yield each


def _struck(
    seen: _Services, side: Side, faults: Iterable[Expectation], direction: Direction
) -> Iterator[Change]:
    """The changes by faults that one side alone has: of each requirement one."""
    of = dict[str, list[Expectation]]()
    for each in faults:
        of.setdefault(each.requirement, []).append(each)
    for name, listed in of.items():
        known = requirements.known()[name]
        about_services = bool(known.kind or known.services)
        services, example = _services_of(seen, side, known, [each.cases for each in listed])
        if about_services and not services:
            continue
        why = dict.fromkeys(each.reason for each in listed if each.reason != "The same.")
        yield Change(
            direction,
            name,
            known.statement,
            why=" ".join(why),
            how_often="; ".join(dict.fromkeys(each.by_chance for each in listed if each.by_chance)),
            sources=tuple(dict.fromkeys([*map(_link, listed), *known.sources])),
            requirements=(name,),
            services=services,
            everywhere=not about_services,
            example=example,
        )


def _link(fault: Expectation) -> Source:
    """What is said of a fault elsewhere, by its own name."""
    _, _, rest = fault.reference.partition("https://github.com/")
    found = re.fullmatch(r"([^/]+/[^/]+)/(?:issues|pull)/(\d+)", rest)
    file = re.fullmatch(r"[^/]+/([^/]+)/blob/[^/]+/(.+)", rest)
    text = f"{found[1]}#{found[2]}" if found else f"{file[1]}: {file[2]}" if file else ""
    return Source(text or fault.reference, fault.reference)


def _services_of(
    seen: _Services, side: Side, known: Known, patterns: Iterable[str]
) -> tuple[dict[Name, tuple[Seen, ...]], ServiceSpec | None]:
    """The Services that a requirement is about, in the cases of these patterns."""
    if known.kind:
        kind, shown = _KINDS[known.kind], dict[Shape, list[Seen]]()
        for shape in seen.of_shape:
            for each in decisions.decided(shape, side):
                if not each.allowed.undecided and kind(each):
                    shown.setdefault(shape, []).append(_where(each))
        return seen.of(shown)
    about = [
        frozenset(each.traits)
        for each in known.services
        for pattern in patterns
        if any(fnmatch.fnmatchcase(case, pattern) for case in each.cases)
    ]
    return seen.that_have(about)


def known_faults(side: Side) -> Iterator[Callable[[Decision], bool]]:
    """The kinds of decisions that a side is known to get wrong."""
    for each in _in_force(side):
        if kind := requirements.known()[each.requirement].kind:
            yield _KINDS[kind]


def words_of(kind: Kind) -> str:
    """What a kind of frontend is called."""
    return kind.replace("node-port", "nodePort").replace("-ip", " IP").replace("-", " ")


def _where(each: Decision, was: str = "", will: str = "") -> Seen:
    return Seen(words_of(each.frontend.kind), each.vantage, was, will)


def _seen(each: Differing) -> Seen:
    return _where(each.was, in_words(each.was.allowed), in_words(each.will.allowed))


def in_words(right: Allowed) -> str:
    """What becomes of a new connection, without saying where its endpoints are."""
    if right.undecided:
        return f"anything ({right.undecided})"
    sources = {"client": "the client", "node": "the node", "either": "either"}
    said = [f"served, seen from {sources[each]}" for each in sorted(set(right.deliveries.values()))]
    words = {"refused": right.refused, "dropped": right.dropped, "passed on": right.passed}
    return " or ".join([*said, *(word for word, true in words.items() if true)])


def _tested(features: Iterable[str]) -> list[str]:
    """The requirements that judge whoever claims one of the features."""
    names = set(filter(None, features))
    return [key for key, each in requirements.known().items() if each.feature in names]


def _sources(ids: Iterable[str]) -> tuple[Source, ...]:
    known = requirements.known()
    return tuple(dict.fromkeys(source for each in ids for source in known[each].sources))
