"""Static factors of every stretch, 0..1, from what OSM maps on it and beside it.

Every stretch is sampled each SAMPLE_M metres; a factor that depends on the surroundings is the mean
over the samples. docs/graph.md has the rules as a table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike

from geo.geodesy import to_local
from geo.graph import F32, F64, I64
from geo.osm.stretches import Stretches, WalkableWay, mileage, points_at
from geo.osm.surroundings import EMITTERS, Surroundings, Tags

# the columns of Graph.static_factors; geo.routing.costs.STATIC_FACTORS describes them in the same order
NAMES = (
    "noise", "air", "green", "water", "unlit", "rough_surface", "steps", "sights", "steep", "unsheltered",
    "narrow", "amenities",
)  # fmt: skip
SAMPLE_M = 25.0
CHUNK = 200_000  # samples at a time: bounds the memory of the spatial queries

# Typical day-evening-night level at 10 m in dB(A). Roads: 10 log10(vehicles a day) + 30, with the
# traffic that the class usually carries (100,000 on a motorway ... 100 on a service road).
LEVEL_AT_10M_DB = dict(
    zip(EMITTERS, (80.0, 77.0, 73.0, 70.0, 66.0, 60.0, 57.0, 51.0, 50.0, 70.0, 64.0), strict=True)
)
# QUIET is WHO's guideline for road noise at night (2018: 45 dB), LOUD what a main road sounds like
QUIET_DB, LOUD_DB = 45.0, 75.0
NEAREST_M = 5.0  # nobody walks on the centre line of a road
MAX_REACH_M = 300.0

# share of a motorway's emissions by class; 0 for rails (electric in cities)
EMISSION = dict(zip(EMITTERS, (1.0, 0.9, 0.75, 0.6, 0.4, 0.2, 0.12, 0.05, 0.05, 0.0, 0.0), strict=True))
AIR_SCALE_M = 60.0  # concentrations fall to background within 150-200 m (Karner et al. 2010)
GREEN_M = 30.0  # how far greenery is noticed
AIR_LEAST = 0.01  # below this an emission counts as background

UNLIT_DEFAULT = {
    "path": 0.7, "track": 0.9, "bridleway": 0.9, "pier": 0.6, "cycleway": 0.4, "footway": 0.4,
    "steps": 0.4, "service": 0.4, "unclassified": 0.4, "road": 0.4, "platform": 0.2,
}  # fmt: skip
UNLIT_ELSEWHERE = 0.15  # streets with houses are lit nearly everywhere
ROUGH_SURFACE = {
    "asphalt": 0.0, "paved": 0.0, "concrete": 0.0, "paving_stones": 0.1, "concrete:plates": 0.1,
    "wood": 0.1, "metal": 0.1, "bricks": 0.15, "sett": 0.35, "compacted": 0.25, "fine_gravel": 0.3,
    "cobblestone": 0.5, "unhewn_cobblestone": 0.7, "gravel": 0.6, "pebblestone": 0.7, "unpaved": 0.6,
    "ground": 0.6, "dirt": 0.6, "earth": 0.6, "grass": 0.6, "woodchips": 0.4, "grass_paver": 0.4,
    "rock": 0.9, "stone": 0.7, "sand": 0.8, "mud": 1.0,
}  # fmt: skip
ROUGH_DEFAULT = {"path": 0.5, "track": 0.6, "bridleway": 0.7, "pier": 0.2}
ROUGH_SMOOTHNESS = {
    "excellent": 0.0, "good": 0.0, "intermediate": 0.25, "bad": 0.5, "very_bad": 0.7, "horrible": 0.9,
    "very_horrible": 1.0, "impassable": 1.0,
}  # fmt: skip
# two people side by side need 1.8 m, four abreast 3 m: below the one a path is tight, above the other not
TIGHT_M, ROOMY_M = 1.0, 3.0
NARROW_PATH = {"path": 0.5, "sidewalk": 0.3, "steps": 0.3, "bridleway": 0.5, "pier": 0.3, "platform": 0.2}
# on the carriageway of a street that has no pavement, by how much of it the traffic takes
NARROW_CARRIAGEWAY = {
    "residential": 0.3, "unclassified": 0.4, "road": 0.4, "tertiary": 0.6, "secondary": 0.8, "primary": 1.0,
    "trunk": 1.0,
}  # fmt: skip
SIDEWALK_KEYS = ("sidewalk", "sidewalk:both", "sidewalk:left", "sidewalk:right")
PAVEMENT_UNKNOWN = 0.5  # how likely a street without any `sidewalk` tag has none
GENTLE_SLOPE, STEEP_SLOPE = 0.02, 0.15  # rise over run


class Scene:
    """The samples along stretches, and how far things are from each of them.

    Works in the equirectangular plane around the middle of the samples, in metres: one scene is one
    city, not a continent.
    """

    def __init__(self, stretches: Stretches, rows: I64, surroundings: Surroundings) -> None:
        counts = np.maximum(1, np.ceil(stretches.length_m[rows] / SAMPLE_M)).astype(np.int64)
        self.rows = rows
        self.owner = np.repeat(np.arange(len(rows)), counts)  # which of `rows` a sample lies on
        step = np.arange(len(self.owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        fraction = (step + 0.5) / counts[self.owner]
        done = mileage(stretches)
        lat, lon = points_at(stretches, done, rows[self.owner], fraction)
        self._origin = float(lat.mean()), float(lon.mean())
        self.x, self.y = to_local(lat, lon, *self._origin)
        further = points_at(stretches, done, rows[self.owner], np.minimum(fraction + 0.01, 1.0))
        ahead = to_local(*further, *self._origin)
        norm = np.maximum(np.hypot(ahead[0] - self.x, ahead[1] - self.y), 1e-9)
        self.heading = (ahead[0] - self.x) / norm, (ahead[1] - self.y) / norm
        self._surroundings = surroundings
        self._trees: dict[str, tuple[Any, Any]] = {}
        self._distances: dict[tuple[str, float], F64] = {}
        self._counts = counts

    @cached_property
    def points(self) -> Any:
        return shapely.points(self.x, self.y)

    def layer(self, name: str) -> tuple[Any, Any]:
        """The geometries of a layer in local metres, and their tree."""
        if name not in self._trees:
            geometries = np.array(self._surroundings.layers.get(name, []), dtype=object)
            if len(geometries):
                geometries = shapely.transform(geometries, self._to_plane)
            self._trees[name] = geometries, shapely.STRtree(geometries)
        return self._trees[name]

    def _to_plane(self, degrees: F64) -> F64:
        return np.stack(to_local(degrees[:, 1], degrees[:, 0], *self._origin), axis=1)

    def distance(self, name: str, reach_m: float) -> F64:
        """(K,) metres from each sample to the nearest of a layer, inf beyond `reach_m`."""
        key = name, reach_m
        if key not in self._distances:
            self._distances[key] = self.distance_from(self.points, name, reach_m)
        return self._distances[key]

    def distance_from(self, points: Any, name: str, reach_m: float) -> F64:
        """(K,) metres from each of `points` (K,) to the nearest of a layer, inf beyond `reach_m`."""
        nearest = np.full(len(points), np.inf)
        _, tree = self.layer(name)
        if len(tree):
            (who, _), metres = tree.query_nearest(
                points, max_distance=reach_m, return_distance=True, all_matches=False
            )
            nearest[who] = metres
        return nearest

    def weigh(self, name: str, reach_m: float) -> F64:
        """(K,) sum over all of a layer within `reach_m` of 1 - distance / reach."""
        total = np.zeros(len(self.x))
        geometries, tree = self.layer(name)
        if len(tree):
            who, what = tree.query(self.points, predicate="dwithin", distance=reach_m)
            weight = 1.0 - shapely.distance(self.points[who], geometries[what]) / reach_m
            total += np.bincount(who, weight, minlength=len(total))
        return total

    def beside(self, metres: float) -> tuple[Any, Any]:
        """The points `metres` to the left and to the right of each sample."""
        hx, hy = self.heading
        left = shapely.points(self.x - hy * metres, self.y + hx * metres)
        right = shapely.points(self.x + hy * metres, self.y - hx * metres)
        return left, right

    def mean(self, values: F64) -> F64:
        """(len(rows),) mean of a value per sample over each stretch."""
        mean: F64 = np.bincount(self.owner, values, minlength=len(self.rows)) / self._counts
        return mean


def static_factors(
    ways: Sequence[WalkableWay],
    stretches: Stretches,
    surroundings: Surroundings,
    steepness: F64,
    rows: I64,
    advance: Callable[[int], None] | None = None,
) -> F32:
    """The factors (len(rows), S) of the stretches `rows`, in the order of NAMES.

    `steepness` (L,) is the factor `steep`, see geo.osm.climbs. `advance` is told after each chunk how many
    stretches are done.
    """
    out = np.zeros((len(rows), len(NAMES)), np.float32)
    per_chunk = max(1, int(CHUNK * len(rows) / max(1.0, float(stretches.length_m[rows].sum()) / SAMPLE_M)))
    for start in range(0, len(rows), per_chunk):
        part = rows[start : start + per_chunk]
        scene = Scene(stretches, part, surroundings)
        chosen = [ways[way] for way in stretches.way[part].tolist()]
        out[start : start + len(part)] = np.clip(_columns(chosen, scene, steepness[part]), 0.0, 1.0)
        if advance is not None:
            advance(len(part))
    return out


def _columns(ways: Sequence[WalkableWay], scene: Scene, steepness: F64) -> F64:
    noise, air = noise_and_air(scene)
    nature, shade = green(scene)
    tagged_unlit = np.array([unlit_by_tags(way.tags) for way in ways])
    rough = np.array([rough_surface(way.tags, way.road_class) for way in ways])
    stairs = np.array([steps(way.road_class) for way in ways])
    roofed = np.array([covered(way.tags) for way in ways])
    return np.stack(
        [
            noise, air, nature, water(scene), unlit(scene, tagged_unlit, ways), rough, stairs, sights(scene),
            steepness,
            np.where(roofed, 0.0, unsheltered(scene, shade)),
            np.array([narrow(way.tags, way.road_class) for way in ways]), amenities(scene),
        ],
        axis=1,
    )  # fmt: skip


def noise_and_air(scene: Scene) -> tuple[F64, F64]:
    """Noise and traffic fumes from the roads and rails nearby (buildings in between are ignored).

    Noise: the loudest class counts, its level falling by 3 dB with each doubling of the distance (a
    line source), QUIET_DB..LOUD_DB becoming 0..1. Air: the strongest class counts, its emission
    falling with exp(-distance / AIR_SCALE_M).
    """
    loudest, fumes = np.zeros(len(scene.x)), np.zeros(len(scene.x))
    for name in EMITTERS:
        distance = np.maximum(scene.distance(f"road:{name}", reach_m(name)), NEAREST_M)
        level = LEVEL_AT_10M_DB[name] - 10 * np.log10(distance / 10.0)
        loudest = np.maximum(loudest, (level - QUIET_DB) / (LOUD_DB - QUIET_DB))
        fumes = np.maximum(fumes, EMISSION[name] * np.exp(-(distance - NEAREST_M) / AIR_SCALE_M))
    return scene.mean(np.clip(loudest, 0.0, 1.0)), scene.mean(fumes)


def reach_m(emitter: str) -> float:
    """How far a class is heard or smelt: beyond it, `noise_and_air` would be 0 anyway."""
    heard = 10.0 * 10 ** ((LEVEL_AT_10M_DB[emitter] - QUIET_DB) / 10.0)
    smelt = NEAREST_M + AIR_SCALE_M * math.log(max(EMISSION[emitter], AIR_LEAST) / AIR_LEAST)
    return min(MAX_REACH_M, max(NEAREST_M, heard, smelt))


def green(scene: Scene) -> tuple[F64, F64]:
    """Greenness by stretch, and shelter by trees by sample.

    Greenness: 1 in a wood or park, 0.6 on grass, falling to 0 at 30 m from it; trees within 15 m add
    0.2 each, up to 0.8. Shelter: 0.5 in a wood, up to 0.5 with trees within 10 m.
    """
    wood, park, grass = (scene.distance(layer, GREEN_M) for layer in ("wood", "park", "grass"))
    trees = scene.weigh("tree", 15.0)
    near = np.maximum(1.0 - np.minimum(wood, park) / GREEN_M, 0.6 * (1.0 - grass / GREEN_M))
    greenness = np.maximum(np.maximum(near, 0.0), np.minimum(0.8, 0.4 * trees))
    shade = np.maximum(np.where(wood <= 0.0, 0.5, 0.0), np.minimum(0.5, 0.25 * trees))
    return scene.mean(greenness), shade


def water(scene: Scene) -> F64:
    """1 within 10 m of a river, canal, lake or coast, falling to 0 at 60 m; a stream counts 0.6, a
    fountain 0.5 within 20 m."""
    wide = np.clip((60.0 - scene.distance("water", 60.0)) / 50.0, 0.0, 1.0)
    stream = 0.6 * np.clip((30.0 - scene.distance("stream", 30.0)) / 25.0, 0.0, 1.0)
    fountain = np.where(scene.distance("fountain", 20.0) <= 20.0, 0.5, 0.0)
    return scene.mean(np.maximum(wide, np.maximum(stream, fountain)))


def unlit_by_tags(tags: Tags) -> float:
    """0 where `lit` says yes, 1 where it says no, 0.5 for some hours, -1 where it says nothing."""
    lit = tags.get("lit")
    if lit is None:
        return -1.0
    return {"no": 1.0, "disused": 1.0, "limited": 0.5, "interval": 0.5}.get(lit, 0.0)


def unlit(scene: Scene, tagged: F64, ways: Sequence[WalkableWay]) -> F64:
    """The tag where there is one; else 0.05 near a street lamp (25 m); else the default of the class,
    0.3 more in woods and parks."""
    usual = np.array([UNLIT_DEFAULT.get(way.road_class, UNLIT_ELSEWHERE) for way in ways])
    inside = np.minimum(scene.distance("wood", GREEN_M), scene.distance("park", GREEN_M)) <= 0.0
    guess = np.minimum(1.0, usual[scene.owner] + np.where(inside, 0.3, 0.0))
    guess = np.where(scene.distance("lamp", 25.0) <= 25.0, 0.05, guess)
    return np.where(tagged >= 0.0, tagged, scene.mean(guess))


def rough_surface(tags: Tags, road_class: str) -> float:
    """The worse of `surface` and `smoothness`; without either the default of the class."""
    by_surface = ROUGH_SURFACE.get(tags.get("surface", ""))
    by_smoothness = ROUGH_SMOOTHNESS.get(tags.get("smoothness", ""))
    known = [value for value in (by_surface, by_smoothness) if value is not None]
    return max(known) if known else ROUGH_DEFAULT.get(road_class, 0.1)


def steps(road_class: str) -> float:
    """1 on stairs, 0.2 on escalators."""
    return {"steps": 1.0, "escalator": 0.2}.get(road_class, 0.0)


def sights(scene: Scene) -> F64:
    """1 - exp(-s), s summing 1 - distance / 60 m over the sights within 60 m: the third adds less."""
    return scene.mean(1.0 - np.exp(-scene.weigh("sight", 60.0)))


def amenities(scene: Scene) -> F64:
    """1 - exp(-s / 2), s summing 1 - distance / 60 m over the amenities within 60 m."""
    return scene.mean(1.0 - np.exp(-scene.weigh("amenity", 60.0) / 2))


def narrow(tags: Tags, road_class: str) -> float:
    """1 where a path is TIGHT_M wide or less, 0 from ROOMY_M on; on a street without a pavement, the share
    of its carriageway that traffic takes."""
    if road_class in NARROW_CARRIAGEWAY:
        sidewalk = {tags[key] for key in SIDEWALK_KEYS if key in tags}
        if sidewalk - {"no", "none"}:
            return 0.0
        return NARROW_CARRIAGEWAY[road_class] * (1.0 if sidewalk else PAVEMENT_UNKNOWN)
    width = metres(tags.get("width", tags.get("est_width", "")))
    if width is None:
        return NARROW_PATH.get(road_class, 0.1)
    return min(1.0, max(0.0, (ROOMY_M - width) / (ROOMY_M - TIGHT_M)))


def metres(text: str) -> float | None:
    """A length as OSM writes it ("2", "2.5 m", "2,5"); None where it is none, or in feet."""
    try:
        value = float(text.removesuffix("m").strip().replace(",", "."))
    except ValueError:
        return None
    return value if 0.0 < value < 1000.0 else None


def steep(slope: ArrayLike) -> F64:
    """0 up to GENTLE_SLOPE, 1 from STEEP_SLOPE on; `slope` is rise over run, uphill or downhill."""
    above = (np.abs(np.asarray(slope, np.float64)) - GENTLE_SLOPE) / (STEEP_SLOPE - GENTLE_SLOPE)
    share: F64 = np.clip(above, 0.0, 1.0)
    return share


def covered(tags: Tags) -> bool:
    """Whether the way is under a roof: covered, arcade, tunnel, passage through a building, indoors."""
    roofed = any(tags.get(key, "no") != "no" for key in ("covered", "tunnel", "indoor"))
    return roofed or tags.get("highway") == "corridor"


def unsheltered(scene: Scene, shade: F64) -> F64:
    """1 in the open; 0.2 less beside a building, 0.4 less between two (within 16 m of the way, on
    either side); trees take up to half of the rest."""
    left, right = scene.beside(10.0)
    walls = (scene.distance_from(left, "building", 6.0) < 6.0).astype(np.float64)
    walls += scene.distance_from(right, "building", 6.0) < 6.0
    return scene.mean((1.0 - 0.2 * walls) * (1.0 - shade))
