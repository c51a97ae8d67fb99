"""Closures that a person draws: any GeoJSON document, and the edges that it closes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from geo.errors import BadInput, BadRecord
from geo.graph import I32, Graph
from models.record_fields import Geometry, shown
from models.world.condition_places import edges_of

_MOST_NESTED = 16


@dataclass(frozen=True, eq=False)
class Closures:
    """What is closed: the geometries as they were drawn, and the edges that they touch, ascending."""

    geometries: tuple[Mapping[str, Any], ...]
    edges: I32  # of a two-way pair the lower one


def read_closures(graph: Graph, data: bytes, file: str) -> Closures:
    """The closures of a GeoJSON document (RFC 7946): a geometry, a Feature, or a collection of either.

    Polygons close the edges that run inside, lines those along them, points the nearest one (see
    `models.world.condition_places`). `file` names the document in errors. Raises BadInput for one that is no
    GeoJSON or has no geometry.
    """
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadInput(f"{file} is not JSON: {error}") from error
    try:
        geometries = tuple(Geometry().read("geometry", raw) for raw in _geometries(document, _MOST_NESTED))
    except BadRecord as error:
        raise BadInput(f"{file} has a geometry that cannot be used: {error.detail}") from error
    if not geometries:
        raise BadInput(f"{file} has no geometry; draw a Polygon, LineString or Point in GeoJSON")
    return Closures(geometries, closed_by(graph, geometries))


def closed_by(graph: Graph, geometries: tuple[Mapping[str, Any], ...]) -> I32:
    """The edges that GeoJSON geometries touch, ascending, each once."""
    found = [edges_of(graph, geometry) for geometry in geometries]
    return np.unique(np.concatenate([np.zeros(0, np.int32), *found])).astype(np.int32)


def _geometries(node: Any, depth: int) -> Iterator[Any]:
    """All geometries of a document in order; what is of no known type comes out as it is, to be refused."""
    if depth == 0:
        raise BadRecord("out_of_range", f"it is nested more than {_MOST_NESTED} deep")
    kind = node.get("type") if isinstance(node, Mapping) else None
    if kind == "FeatureCollection":
        yield from _inside(node, "features", depth)
    elif kind == "GeometryCollection":
        yield from _inside(node, "geometries", depth)
    elif kind == "Feature":
        if node.get("geometry") is not None:
            yield from _geometries(node["geometry"], depth - 1)
    else:
        yield node


def _inside(node: Mapping[str, Any], name: str, depth: int) -> Iterator[Any]:
    parts = node.get(name)
    if not isinstance(parts, list):
        raise BadRecord("bad_type", f"{name}: {shown(parts)} is not an array")
    for part in parts:
        yield from _geometries(part, depth - 1)
