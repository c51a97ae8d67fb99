"""From OSM extracts to a walk graph: read, join, split into edges, drop crumbs, add factors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import h3.api.basic_int as h3
import numpy as np

from geo.errors import BadGraph
from geo.graph import F32, F64, I64, Graph
from geo.osm.climbs import Climbs, climbs
from geo.osm.elevation import ElevationModel
from geo.osm.extract import Extract
from geo.osm.graph_build import assemble, to_cells
from geo.osm.static_factors import NAMES, static_factors
from geo.osm.stretches import (
    MIN_COMPONENT_EDGES,
    MIN_COMPONENT_SHARE,
    Bools,
    Stretches,
    WalkableWay,
    main_components,
    mileage,
    points_at,
    split_ways,
    take_stretches,
)
from geo.osm.timed_access import stretch_rules
from geo.osm.walkable_areas import Crossed, cross_areas

ATTRIBUTION = "© OpenStreetMap contributors, ODbL 1.0"
CELL_RESOLUTION = 9  # hexagons of 0.1 km², 200 m from side to side

# told what is being done, how much of it is done, and how much there is
Progress = Callable[[str, int, int], None]


def _silent(stage: str, done: int, total: int) -> None:
    """For callers that show no progress."""


def import_osm(
    files: Sequence[str | Path], progress: Progress = _silent, *, dem: str | Path | None = None
) -> Graph:
    """The walk graph of one or several OSM files (.osm, .osm.gz, .osm.bz2, .osm.pbf), in memory.

    Ways that are in several files are taken from the one that holds most of them. `dem`: tiles of an
    elevation model, see geo.osm.elevation. Raises BadGraph for a file that cannot be read or holds nothing
    to walk on.
    """
    from geo.osm.reader import read_extract

    if not files:
        raise BadGraph("no OSM file was given; give at least one .osm or .osm.pbf file")
    model = ElevationModel(Path(dem)) if dem is not None else None
    extracts = []
    for index, file in enumerate(files):
        progress("read", index, len(files))
        extract = read_extract(Path(file), index)
        if not extract.ways:
            raise BadGraph(f"{file} has no way that people may walk; is it an extract with streets?")
        extracts.append(extract)
    progress("read", len(files), len(files))
    return graph_of(extracts, progress, model=model)


def graph_of(
    extracts: Sequence[Extract],
    progress: Progress = _silent,
    *,
    keep_nodes: Collection[int] = frozenset(),
    keep_all: bool = False,
    model: ElevationModel | None = None,
) -> Graph:
    """The walk graph of what was read from OSM files.

    `keep_nodes` become nodes of the graph even where no ways meet; with `keep_all` no small component
    is dropped. Raises BadGraph where nothing is left.
    """
    ways = _joined([way for extract in extracts for way in extract.ways])
    position = {ref: place for extract in reversed(extracts) for ref, place in extract.position.items()}
    stops = {ref for extract in extracts for ref in extract.stops}
    areas = [area for extract in extracts for area in extract.areas]
    obstacles = [obstacle for extract in extracts for obstacle in extract.obstacles]
    crossed = cross_areas(ways, areas, obstacles, position, stops, partial(progress, "areas"))
    progress("split", 0, 1)
    ways = crossed.ways
    position.update(crossed.position)
    timetables = [extract.timetables for extract in extracts]
    gates = {gate for table in timetables for gate in table.gates}
    whole = split_ways(ways, position, stops, gates.union(keep_nodes))
    kept = np.ones(len(whole.way), np.bool) if keep_all else main_components(whole, ways)
    if not kept.any():
        raise BadGraph("the extract has no two connected places that people may walk between")
    stretches = take_stretches(whole, kept)
    progress("split", 1, 1)
    slopes = climbs(ways, stretches, model)
    factors = _factors(extracts, ways, stretches, slopes.steep, progress)
    done = mileage(stretches)
    rows = np.arange(len(stretches.way))
    lat, lon = points_at(stretches, done, rows, np.full(len(rows), 0.5))
    cell_ids = np.array(
        [h3.latlng_to_cell(a, b, CELL_RESOLUTION) for a, b in zip(lat.tolist(), lon.tolist(), strict=True)],
        np.uint64,
    )
    hours, rules, unknown = stretch_rules(ways, stretches, timetables)
    graph = assemble(
        ways, stretches, slopes, factors, hours, rules, to_cells(cell_ids, h3.cell_to_latlng), {}
    )
    return replace(graph, meta=_metadata(extracts, crossed, whole, kept, unknown, slopes, graph))


def _joined(ways: Sequence[WalkableWay]) -> list[WalkableWay]:
    """Every OSM way once: extracts that overlap both have it, one of them perhaps cut off."""
    longest: dict[int, WalkableWay] = {}
    for way in ways:
        other = longest.get(way.way)
        if other is None or sum(map(len, way.runs)) > sum(map(len, other.runs)):
            longest[way.way] = way
    return list(longest.values())


def _factors(
    extracts: Sequence[Extract],
    ways: Sequence[WalkableWay],
    stretches: Stretches,
    steepness: F64,
    progress: Progress,
) -> F32:
    factors = np.zeros((len(stretches.way), len(NAMES)), np.float32)
    source = np.array([way.source for way in ways], np.int64)[stretches.way]
    finished = 0

    def advance(count: int) -> None:
        nonlocal finished
        finished += count
        progress("factors", finished, len(stretches.way))

    for extract in extracts:
        rows: I64 = np.flatnonzero(source == extract.index)
        if len(rows):
            factors[rows] = static_factors(ways, stretches, extract.surroundings, steepness, rows, advance)
    return factors


def _metadata(
    extracts: Sequence[Extract],
    crossed: Crossed,
    whole: Stretches,
    kept: Bools,
    unknown: Mapping[str, int],
    slopes: Climbs,
    graph: Graph,
) -> dict[str, object]:
    directions = np.array([way.forward + way.backward for way in crossed.ways])[whole.way]
    return {
        "attribution": ATTRIBUTION,
        "sources": [extract.source for extract in extracts],
        "bbox": {
            "south": float(graph.shape_lat.min()), "west": float(graph.shape_lon.min()),
            "north": float(graph.shape_lat.max()), "east": float(graph.shape_lon.max()),
        },
        "counts": {
            "nodes": graph.node_count, "edges": graph.edge_count, "ways": len(np.unique(graph.way)),
            "shape_points": len(graph.shape_lat), "cells": len(graph.cell_h3),
            "components": int(graph.component.max()) + 1,
            "length_km": round(float(whole.length_m[kept].sum()) / 1000, 1),
        },
        "areas": {"crossed": crossed.areas, "lines": crossed.lines},
        "opening_hours": {
            "rules": len(graph.rules), "edges": int((graph.hours >= 0).sum()),
            "not_understood": dict(unknown),
        },
        "dropped": {
            "components": len(np.unique(whole.component[~kept])), "edges": int(directions[~kept].sum()),
            "length_km": round(float(whole.length_m[~kept].sum()) / 1000, 1),
            "rule": f"under {MIN_COMPONENT_EDGES} edges and under {MIN_COMPONENT_SHARE:.0%} of the edges "
            "of the file's largest component",
        },
        "static_factors": list(NAMES),
        "elevation": slopes.source,
    }  # fmt: skip
