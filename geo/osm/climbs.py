"""How much longer stretches take, and how steep they are, by an elevation model or by `incline`.

The ground is sampled along every stretch. Bridges, tunnels and what is indoors do not follow it: they
lead straight from one end on the ground to the other, and so do stairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geo.errors import BadGraph
from geo.graph import F64, I32, I64
from geo.osm.elevation import ElevationModel
from geo.osm.foot_access import level_of
from geo.osm.static_factors import steep
from geo.osm.stretches import Bools, Stretches, WalkableWay, mileage, points_at
from geo.pace import MAX_SLOPE, tagged_slope, tobler_factor

SAMPLE_M = 20.0
_ROUNDS = 500  # of relaxation: a bridge has few junctions
_FLAT = "flat: OSM extracts carry none; only ways with a measured `incline` have a slope"


@dataclass(frozen=True, slots=True)
class Climbs:
    """What slopes do to L stretches."""

    forward: F64  # (L,) how much longer than on the flat, along the stretch
    backward: F64  # (L,) the same, against it
    steep: F64  # (L,) mean of the factor `steep`, 0..1
    source: str  # where it is known from, for people


def climbs(ways: Sequence[WalkableWay], stretches: Stretches, model: ElevationModel | None = None) -> Climbs:
    """The slopes of `stretches`: those that are tagged, else those of `model`, else none.

    Raises BadGraph where the model knows nothing about the place.
    """
    slope = np.array([tagged_slope(way.tags) for way in ways])[stretches.way]
    forward, backward, steepness = tobler_factor(slope), tobler_factor(-slope), steep(slope)
    if model is None:
        return Climbs(forward, backward, steepness, _FLAT)
    owner, slopes = _sampled_slopes(ways, stretches, model)
    known = np.isfinite(slopes)
    if not known.any():
        raise BadGraph("no tile of the elevation model covers the extract; give the tiles around it")
    counts = np.bincount(owner, minlength=len(slope))
    whole = (np.bincount(owner, known, minlength=len(slope)) == counts) & (slope == 0.0)
    slopes = np.where(known, slopes, 0.0)
    for column, values in (
        (forward, tobler_factor(slopes)), (backward, tobler_factor(-slopes)), (steepness, steep(slopes)),
    ):  # fmt: skip
        column[whole] = (np.bincount(owner, values, minlength=len(slope)) / counts)[whole]
    share = stretches.length_m[whole | (slope != 0.0)].sum() / stretches.length_m.sum()
    tiles = ", ".join(sorted(model.used))
    return Climbs(forward, backward, steepness, f"from {tiles}, known along {share:.1%} of the ways")


def _sampled_slopes(
    ways: Sequence[WalkableWay], stretches: Stretches, model: ElevationModel
) -> tuple[I64, F64]:
    """Rise over run of pieces of about SAMPLE_M: which stretch each belongs to (K,), and the slope (K,)."""
    count = len(stretches.way)
    off_ground = np.array([_leaves_the_ground(way) for way in ways], np.bool)[stretches.way]
    pieces = np.maximum(1, np.rint(stretches.length_m / SAMPLE_M)).astype(np.int64)
    stairs = np.array([way.road_class in ("steps", "escalator") for way in ways], np.bool)[stretches.way]
    spanning = off_ground | stairs
    pieces[spanning] = 1
    owner = np.repeat(np.arange(count), pieces)
    step = np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    done = mileage(stretches)
    ends = [points_at(stretches, done, owner, (step + i) / pieces[owner]) for i in (0, 1)]
    low, high = (model.heights(lat, lon) for lat, lon in ends)
    nodes = model.heights(stretches.node_lat, stretches.node_lon)
    _span(nodes, stretches.start[off_ground], stretches.end[off_ground], stretches.length_m[off_ground],
          _on_ground(stretches, spanning))  # fmt: skip
    straight = spanning[owner]
    low[straight] = nodes[stretches.start[owner[straight]]]
    high[straight] = nodes[stretches.end[owner[straight]]]
    run = np.maximum(stretches.length_m[owner] / pieces[owner], 1.0)
    return owner, np.clip((high - low) / run, -MAX_SLOPE, MAX_SLOPE)


def _leaves_the_ground(way: WalkableWay) -> bool:
    raised = any(way.tags.get(key, "no") != "no" for key in ("bridge", "tunnel", "indoor"))
    return raised or way.road_class in ("ferry", "corridor") or level_of(way.tags)[0] != "0"


def _on_ground(stretches: Stretches, spanning: Bools) -> Bools:
    """(N,) whether a node belongs to a stretch on the ground, or nothing else leads there. Stairs tell
    nothing: they may lead down from a bridge."""
    ground = np.zeros(len(stretches.node_osm), np.bool)
    for ends in (stretches.start, stretches.end):
        ground[ends[~spanning]] = True
    uses = np.bincount(np.concatenate([stretches.start, stretches.end]), minlength=len(ground))
    alone: Bools = uses == 1
    return ground | alone


def _span(height: F64, start: I32, end: I32, length: F64, fixed: Bools) -> None:
    """Let nodes that are not `fixed` hang between their neighbours, in place: along a bridge of several
    stretches the height changes evenly (the discrete Laplace equation, by Jacobi's method)."""
    weight = 1.0 / np.maximum(length, 1.0)
    ends, others = np.concatenate([start, end]), np.concatenate([end, start])
    both = np.concatenate([weight, weight])
    hanging = np.zeros(len(height), np.bool)
    hanging[ends] = True
    hanging &= ~fixed
    if not hanging.any():
        return
    total = np.bincount(ends, both, minlength=len(height))[hanging]
    for _ in range(_ROUNDS):
        mean = np.bincount(ends, both * height[others], minlength=len(height))[hanging] / total
        moved = np.abs(mean - height[hanging])
        height[hanging] = mean
        if not (moved > 0.01).any():
            break
