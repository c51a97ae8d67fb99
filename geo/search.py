"""Places on the walk graph and the paths between them."""

from __future__ import annotations

from dataclasses import dataclass

from geo.graph import I32


@dataclass(frozen=True)
class Place:
    """A position on a directed edge, `fraction` 0..1 of its length from its tail."""

    edge: int
    fraction: float


@dataclass(frozen=True)
class Path:
    """Edges in walking order: the first from `start_fraction`, the last up to `end_fraction`.

    A place on an edge may be left or reached in the other direction through the edge's reverse.
    """

    edges: I32
    start_fraction: float
    end_fraction: float
    length_m: float
    duration_s: float
    impedance: float
