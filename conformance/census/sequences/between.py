"""What a proxy may know of a Service while that becomes another: its objects are written one after
the other, and a proxy may look at any time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from specification.services import ServiceSpec, Slice


def between(old: ServiceSpec, new: ServiceSpec) -> Iterator[ServiceSpec]:
    """Each Service that may be known: the one or the other, which is watched apart from
    EndpointSlices, and of those as many of the new ones as are written by then, in their order; one
    that ``new`` does not have goes last. Both Services as the API has them, with all names.
    """
    before, after = _slices(old), _slices(new)
    names = [*after, *(name for name in before if name not in after)]
    changed = [name for name in names if before.get(name) != after.get(name)]
    for written in range(len(changed) + 1):
        known = {**before, **after}
        known |= {name: before.get(name) for name in changed[written:]}
        known |= {name: after.get(name) for name in changed[:written]}
        slices = tuple(each for each in known.values() if each)
        for service in (old, new):
            yield replace(service, slices=slices)


def _slices(spec: ServiceSpec) -> dict[str, Slice | None]:
    """By name, each saying all by itself that it has from its Service."""
    return {
        part.name: replace(
            part,
            ports=spec.ports_of(part),
            address_types=spec.types_of(part),
            service_name=spec.owner_of(part),
        )
        for part in spec.slices
    }
