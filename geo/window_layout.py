"""Features declared as data, and what of them the kernels need: where each accumulator lies in the state.

A feature's window is cut into panes of its hop (Li et al. 2005, "No pane, no gain: efficient evaluation of
sliding-window aggregates over data streams"), and features share accumulators: the mean and the variance of
a column over the same panes need one count. Accumulators with the same pane and as many panes form a ring,
whose panes are records of a few bytes, each field as narrow as the most events a pane can have allow.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from geo import window_kernels as kernels
from geo.errors import BadInput
from geo.graph import F64
from geo.window_kernels import Plan

Entity = Literal["walker", "cell", "edge"]

EVENT = ""  # the source of features of the events themselves: how many, how many different keys
MAX_REMEMBERED, MAX_REMEMBERED_GRACE_S = 255, 60
MAX_BUCKETS = 255

# aggregate -> how it is read, and the accumulators it needs
AGGREGATES: dict[str, tuple[int, tuple[int, ...]]] = {
    "count": (kernels.READ_COUNT, (kernels.COUNT,)),
    "rate": (kernels.READ_RATE, (kernels.COUNT, kernels.SUM)),
    "sum": (kernels.READ_SUM, (kernels.COUNT, kernels.SUM)),
    "mean": (kernels.READ_MEAN, (kernels.COUNT, kernels.SUM)),
    "variance": (kernels.READ_VARIANCE, (kernels.COUNT, kernels.SUM, kernels.SQUARES)),
    "min": (kernels.READ_MIN, (kernels.LOWEST,)),
    "max": (kernels.READ_MAX, (kernels.HIGHEST,)),
    "last": (kernels.READ_LAST, (kernels.LATEST,)),
    "ewma": (kernels.READ_EWMA, (kernels.COUNT, kernels.SUM)),
    "quantile": (kernels.READ_QUANTILE, (kernels.SKETCH,)),
    "distinct": (kernels.READ_DISTINCT, (kernels.DISTINCT,)),
    "path": (kernels.READ_PATH, (kernels.PLACE,)),
    "pace": (kernels.READ_PACE, (kernels.PLACE,)),
    "stops": (kernels.READ_STOPS, (kernels.PLACE,)),
    "stopped_share": (kernels.READ_STOPPED_SHARE, (kernels.PLACE,)),
    "pace_ewma": (kernels.READ_PACE_EWMA, (kernels.PLACE,)),
}
_OF_EVENTS = {"count", "rate", "distinct"}
_NEED_PARAMETER = {"rate", "ewma", "quantile", "stops", "stopped_share", "pace_ewma"}


@dataclass(frozen=True)
class Feature:
    """One value about an entity, aggregated over a window of event time.

    `source` is a column of the events (two, "lat, lon", of path, pace, stops, stopped_share, pace_ewma), or
    empty for count, rate and distinct of the events themselves. `parameter`: of rate the seconds it is per;
    of ewma and pace_ewma the half-life in seconds; of quantile which one, 0..1; of stops and stopped_share
    the metres from pane to pane under which somebody stands.

    The window is `window_s` long and moves on every `hop_s`; they are equal for a tumbling window. It is read
    as the window that ends with the pane of the moment, or if `complete` as the latest one that no event
    within the grace can change any more. What comes up to `grace_s` after a later one still counts.
    A window of 0 declares what is not windowed here. `default` is what a reader gets where nothing is known.
    """

    name: str
    entity: Entity
    topic: str
    source: str
    aggregate: str
    window_s: int
    hop_s: int
    grace_s: int
    unit: str
    default: float
    meaning: str
    parameter: float = math.nan
    complete: bool = False


@dataclass(frozen=True)
class Source:
    """A column of the events, kept as whole steps of 1 / per_unit from `low` to `high` (beyond: as these).

    A column that is not `optional` is known of every event; of one that is, nan counts for nothing.
    `sketch_error` is the relative error of its quantiles.
    """

    name: str
    low: float
    high: float
    per_unit: float
    optional: bool = False
    sketch_error: float = 0.1

    @property
    def steps(self) -> int:
        return math.floor((self.high - self.low) * self.per_unit + 0.5)


@dataclass(frozen=True, eq=False)
class WindowLayout:
    """The state of one kind of entities: `dtype` of one, and how events go in and features come out.

    Columns of what is read are `names`, rows of the values that are folded are `sources`. `schema` changes
    with everything that gives stored bytes another meaning. Zeros are the state of one never seen.
    """

    features: tuple[Feature, ...]
    sources: tuple[Source, ...]
    dtype: np.dtype[Any]
    plan: Plan
    schema: int
    has_keys: bool

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)

    @property
    def source_names(self) -> tuple[str, ...]:
        return tuple(source.name for source in self.sources)

    def empty_state(self, capacity: int) -> NDArray[Any]:
        """(capacity,) states of entities that were never seen."""
        return np.zeros(capacity, self.dtype)


@dataclass
class _Accumulator:
    op: int
    source: int
    hop_s: int
    panes: int = 0
    ring: int = -1
    field: int = -1  # the first of its fields
    at: int = 0  # byte offset in the pane
    width: int = 0  # log2 of the bytes
    more: tuple[int, int] = (0, 0)
    sizes: tuple[int, ...] = ()  # bytes of its fields

    def field_places(self) -> list[tuple[int, int]]:
        """Byte offset in the pane and log2 of the width of each of its fields."""
        return [(self.at + sum(self.sizes[:k]), size.bit_length() - 1) for k, size in enumerate(self.sizes)]


def window_layout(
    features: Sequence[Feature],
    sources: Sequence[Source],
    *,
    events_per_s: float,
    remembered: int = 0,
) -> WindowLayout:
    """Compile declarations of one kind of entities that share a grace.

    events_per_s: what an entity has at most, for long; with more, sums stop growing. remembered: so many
    latest times tell an event that is repeated, for entities that have one event at a time (0: none is told;
    up to 255, with a grace of up to 60 s). Raises BadInput for a declaration that does not hold.
    """
    names = [source.name for source in sources]
    grace_s = _checked(features, sources, remembered)
    found: dict[tuple[int, int, int], _Accumulator] = {}
    uses: list[list[_Accumulator]] = []
    for feature in features:
        uses.append([found.setdefault(key, _Accumulator(*key)) for key in _needed(feature, names, sources)])
        extra = 1 if feature.aggregate in _PLACES else 0
        extra += -(-grace_s // feature.hop_s) + 1 if feature.complete else 0
        for one in uses[-1]:
            one.panes = max(one.panes, feature.window_s // feature.hop_s + extra)
    accumulators = sorted(found.values(), key=lambda one: (one.hop_s, one.panes))
    for one in accumulators:
        _shape(one, sources, names, events_per_s)
    rings, accumulators = _rings(accumulators)
    header = _header(len(rings), remembered)
    at = header.itemsize
    for ring in rings:
        ring[2] = at
        at += _up(ring[1] * ring[3], 8)
    readings = [
        ((*_reading(feature, used, names), column), _numbers(feature, features))
        for column, (feature, used) in enumerate(zip(features, uses, strict=True))
    ]
    # features of one way stand side by side, so that it is added up once
    readings.sort(key=lambda one: (*one[0][1:5], *one[1]) if one[0][0] >= kernels.READ_PATH else ())
    at = _up(at, 64)  # a header that begins a cache line seldom takes two
    plan = Plan(
        row_bytes=at,
        grace_ms=grace_s * 1000,
        remembered=remembered,
        times_at=_TIMES_AT // 2 + 4 * len(rings),
        sources=np.array([[s.low, s.high, s.per_unit, s.optional] for s in sources], np.float64).reshape(
            -1, 4
        ),
        rings=np.array(rings, np.int64).reshape(-1, 8),
        accumulators=np.array(
            [(a.op, a.source, a.at, a.width, *a.more) for a in accumulators], np.int64
        ).reshape(-1, 6),
        fields=np.array([place for a in accumulators for place in a.field_places()], np.int64).reshape(-1, 2),
        bounds=_bounds(sources, accumulators),
        features=np.array([row for row, _ in readings], np.int64).reshape(-1, 9),
        numbers=np.array([numbers for _, numbers in readings], np.float64).reshape(-1, 2),
    )
    dtype = np.dtype([*header.descr, ("panes", np.uint8, (at - header.itemsize,))])
    stored = (remembered, header.descr, plan.rings.tolist(), plan.accumulators.tolist())
    schema = zlib.crc32(repr((stored, tuple(sources))).encode())
    has_keys = any(a.op == kernels.DISTINCT for a in accumulators)
    return WindowLayout(tuple(features), tuple(sources), dtype, plan, schema, has_keys)


_TIMES_AT = 40  # bytes before the newest panes

_PLACES = {name for name, (_, needs) in AGGREGATES.items() if kernels.PLACE in needs}


def _checked(features: Sequence[Feature], sources: Sequence[Source], remembered: int) -> int:
    """The grace of all features, in seconds."""
    graces = {feature.grace_s for feature in features}
    if len(graces) != 1:
        raise BadInput(
            f"features of one layout have the graces {sorted(graces)} s, they need one and the same"
        )
    grace_s = graces.pop()
    if not 0 <= remembered <= MAX_REMEMBERED or (remembered and grace_s > MAX_REMEMBERED_GRACE_S):
        raise BadInput(
            f"{remembered} times are to be remembered with a grace of {grace_s} s;"
            f" at most {MAX_REMEMBERED}, and with a grace of at most {MAX_REMEMBERED_GRACE_S} s"
        )
    for feature in features:
        _check_feature(feature)
    for source in sources:
        if not (source.low < source.high and source.per_unit > 0 and source.steps < 2**32 - 2):
            raise BadInput(f"source {source.name!r} has no range of 1 to 2**32 - 3 steps from low to high")
    return grace_s


def _check_feature(feature: Feature) -> None:
    name = f"feature {feature.name!r}"
    if feature.aggregate not in AGGREGATES:
        raise BadInput(f"{name}: aggregate {feature.aggregate!r} is none of {', '.join(AGGREGATES)}")
    if feature.hop_s <= 0 or feature.window_s <= 0 or feature.window_s % feature.hop_s:
        raise BadInput(
            f"{name}: a window of {feature.window_s} s is not a multiple of its hop of {feature.hop_s} s"
        )
    if feature.grace_s < 0:
        raise BadInput(f"{name}: a grace of {feature.grace_s} s is negative")
    if feature.aggregate in _NEED_PARAMETER and not feature.parameter >= 0.0:
        raise BadInput(f"{name}: {feature.aggregate} needs a parameter, not {feature.parameter}")
    if feature.aggregate == "quantile" and feature.parameter > 1.0:
        raise BadInput(f"{name}: the quantile {feature.parameter} is not within 0..1")
    if "ewma" in feature.aggregate and feature.parameter == 0.0:
        raise BadInput(f"{name}: the half-life of {feature.aggregate} is 0 s")


def _needed(feature: Feature, names: Sequence[str], sources: Sequence[Source]) -> list[tuple[int, int, int]]:
    """(op, source, hop_s) of the accumulators that a feature is read from."""
    ops = AGGREGATES[feature.aggregate][1]
    if feature.source == EVENT:
        if feature.aggregate not in _OF_EVENTS:
            raise BadInput(f"feature {feature.name!r}: {feature.aggregate} needs a source column")
        return [(op, -1, feature.hop_s) for op in ops if op != kernels.SUM]
    columns = feature.source.split(", ")
    if not set(columns) <= set(names) or len(columns) != 1 + (feature.aggregate in _PLACES):
        raise BadInput(
            f"feature {feature.name!r}: {feature.aggregate} of {feature.source!r},"
            f" columns are {', '.join(names)}"
        )
    if feature.aggregate == "distinct":
        raise BadInput(f"feature {feature.name!r}: distinct counts the events' keys, it has no source column")
    source = names.index(columns[0])
    if feature.aggregate in _PLACES and [names.index("lat"), names.index("lon")] != [
        names.index(column) for column in columns
    ]:
        raise BadInput(f"feature {feature.name!r}: a place is 'lat, lon', not {feature.source!r}")
    # every event counts where the column is never unknown: one count for all such columns
    counted = source if sources[source].optional else -1
    return [(op, counted if op == kernels.COUNT else source, feature.hop_s) for op in ops]


def _shape(one: _Accumulator, sources: Sequence[Source], names: Sequence[str], events_per_s: float) -> None:
    """How wide an accumulator's fields are, and what its kernel must know."""
    most = max(1, math.ceil(events_per_s * one.hop_s))
    steps = sources[one.source].steps if one.source >= 0 else 0
    largest = {
        kernels.COUNT: most, kernels.SUM: most * steps, kernels.SQUARES: most * steps * steps,
        kernels.HIGHEST: steps + 1, kernels.LOWEST: steps + 1,
        kernels.LATEST: steps, kernels.PLACE: 2**32 - 1,
        kernels.SKETCH: most, kernels.DISTINCT: 2**32 - 1,
    }[one.op]  # fmt: skip
    if largest >= 2**63:
        raise BadInput(
            f"a sum over a pane of {one.hop_s} s may reach {largest}: fewer steps per unit, please"
        )
    one.width = _width(largest)
    time_width = _width(one.hop_s * 1000)
    if one.op == kernels.LATEST:
        one.width = max(one.width, time_width)  # so that the time behind the value is aligned
    one.sizes = (1 << one.width,)
    if one.op == kernels.LATEST:
        one.sizes += (1 << time_width,)
        one.more = (0, time_width)
    elif one.op == kernels.PLACE:
        one.sizes += (1 << one.width, 1 << time_width)
        one.more = (names.index("lon"), time_width)
    elif one.op == kernels.LOWEST:
        one.more = (steps, 0)
    elif one.op == kernels.SKETCH:
        buckets = len(sketch_bounds(sources[one.source]))
        one.sizes *= buckets
        one.more = (buckets, 0)
    elif one.op == kernels.DISTINCT:
        one.sizes *= kernels.HASHES


def _width(largest: int) -> int:
    return next(width for width in range(4) if largest < 1 << (8 << width))


def _rings(accumulators: list[_Accumulator]) -> tuple[list[list[int]], list[_Accumulator]]:
    """Rings as `Plan` has them (offsets still 0), and the accumulators in their order, placed in the pane."""
    rings: list[list[int]] = []
    ordered: list[_Accumulator] = []
    fields = 0
    for hop_s, panes in sorted({(one.hop_s, one.panes) for one in accumulators}):
        members = [one for one in accumulators if (one.hop_s, one.panes) == (hop_s, panes)]
        members.sort(key=lambda one: -max(one.sizes))
        ring = [hop_s * 1000, panes, 0, 0, len(ordered), len(ordered) + len(members), fields, fields]
        at = 0
        for one in members:
            one.at = _up(at, max(one.sizes))
            one.ring, one.field = len(rings), fields
            fields += len(one.sizes)
            at = one.at + sum(one.sizes)
        ring[3], ring[7] = _up(at, max(members[0].sizes)), fields
        rings.append(ring)
        ordered += members
    return rings, ordered


def _up(at: int, step: int) -> int:
    """The first multiple of step that is not below at."""
    return -(-at // step) * step


def _header(rings: int, remembered: int) -> np.dtype[Any]:
    """The part of a state whose fields have names; geo.event_kinds and window_kernels know the places."""
    fields: list[Any] = [
        ("last_ms", "<i8"),  # latest event time accepted, milliseconds since the epoch
        ("forgotten_ms", "<i8"),  # latest event time that was pushed out of `times_ms`
        ("accepted", "<u4"),  # events, in order or not
        ("late", "<u4"),
        ("duplicates", "<u4"),
        ("out_of_order", "<u4"),
        ("times_first", "u1"),  # where the ring of times starts
        ("times_count", "u1"),
        ("_unused", "u1", (6,)),
        ("newest_pane", "<i8", (rings,)),  # event time // pane, as of the last event folded
    ]
    if remembered:
        fields.append(("times_ms", "<u2", (remembered,)))  # ascending, modulo 2**16
        padding = -(2 * remembered) % 8
        if padding:
            fields.append(("_padding", "u1", (padding,)))
    return np.dtype(fields)


def sketch_bounds(source: Source) -> list[int]:
    """Upper bounds of a source's buckets in steps: growing so that any value is told within sketch_error.

    Logarithmic buckets of whole counts (DDSketch: Masson, Rim and Lee 2019, "DDSketch: a fast and
    fully-mergeable quantile sketch with relative-error guarantees"); the last one takes what is beyond.
    """
    if source.low != 0.0 or not 0.0 < source.sketch_error < 1.0:
        raise BadInput(f"quantiles of {source.name!r} need low = 0 and a sketch_error within 0..1")
    growth = (1.0 + source.sketch_error) / (1.0 - source.sketch_error)
    bounds = [0, 1]
    while bounds[-1] < source.steps:
        bounds.append(min(source.steps, max(bounds[-1] + 1, math.floor(bounds[-1] * growth))))
    if len(bounds) > MAX_BUCKETS:
        raise BadInput(f"quantiles of {source.name!r} need {len(bounds)} buckets, at most {MAX_BUCKETS}")
    return bounds


def _bounds(sources: Sequence[Source], accumulators: Sequence[_Accumulator]) -> NDArray[np.int64]:
    sketched = {one.source for one in accumulators if one.op == kernels.SKETCH}
    rows = {source: sketch_bounds(sources[source]) for source in sketched}
    table = np.full((len(sources), max([1, *map(len, rows.values())])), np.iinfo(np.int64).max)
    for source, row in rows.items():
        table[source, : len(row)] = row
    return table


def _reading(feature: Feature, used: Sequence[_Accumulator], names: Sequence[str]) -> tuple[int, ...]:
    source = -1 if feature.source == EVENT else names.index(feature.source.split(", ")[0])
    fields = [one.field for one in used]
    if feature.aggregate == "quantile":
        fields.append(len(used[0].sizes))
    elif feature.aggregate == "last":
        fields.append(fields[0] + 1)
    fields += [-1] * (3 - len(fields))
    how = AGGREGATES[feature.aggregate][0]
    return (how, used[0].ring, feature.window_s // feature.hop_s, int(feature.complete), *fields, source)


def _numbers(feature: Feature, features: Sequence[Feature]) -> tuple[float, float]:
    """Parameter and fading; those of one way take each other's."""
    if feature.aggregate not in _PLACES:
        return feature.parameter, _fading(feature)
    same = [
        other
        for other in (feature, *features)
        if other.aggregate in _PLACES
        and (other.source, other.hop_s, other.window_s, other.complete)
        == (feature.source, feature.hop_s, feature.window_s, feature.complete)
    ]
    still_m = [other.parameter for other in same if other.aggregate in ("stops", "stopped_share")]
    fading = [_fading(other) for other in same if other.aggregate == "pace_ewma"]
    return (still_m or [0.0])[0], (fading or [0.0])[0]


def _fading(feature: Feature) -> float:
    return 0.5 ** (feature.hop_s / feature.parameter) if "ewma" in feature.aggregate else 0.0


def values_of(layout: WindowLayout, **columns: NDArray[Any]) -> F64:
    """The events' columns, by the names of the layout's sources, as (S, n) values to fold.

    Raises BadInput where one is missing or not of the layout.
    """
    if set(columns) != set(layout.source_names):
        raise BadInput(f"columns are {', '.join(columns)}, needed {', '.join(layout.source_names)}")
    n = len(next(iter(columns.values()))) if columns else 0
    values = np.empty((len(layout.sources), n))
    for row, name in enumerate(layout.source_names):
        values[row] = columns[name]
    return values
