"""What the benchmarks on a graph draw at random, the same for the same seed: places, tastes, closures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from geo.errors import BadInput
from geo.graph import F64, I32, Graph
from geo.routing.costs import FACTOR_NAMES
from geo.routing.search import Place

LEAST_WEIGHT, LARGEST_WEIGHT = -0.3, 1.0


@dataclass(frozen=True)
class Pairs:
    """n pairs of places: each an edge, and how far along it."""

    start_edge: I32
    start_fraction: F64
    end_edge: I32
    end_fraction: F64

    def __len__(self) -> int:
        return len(self.start_edge)

    def part(self, begin: int, end: int) -> Pairs:
        """Pairs begin .. end."""
        cut = slice(begin, end)
        return Pairs(
            self.start_edge[cut], self.start_fraction[cut], self.end_edge[cut], self.end_fraction[cut]
        )

    def __iter__(self) -> Iterator[tuple[Place, Place]]:
        columns = (self.start_edge, self.start_fraction, self.end_edge, self.end_fraction)
        for edge, at, end_edge, until in zip(*(column.tolist() for column in columns), strict=True):
            yield Place(edge, at), Place(end_edge, until)


def random_pairs(graph: Graph, count: int, seed: int) -> Pairs:
    """Both ends anywhere in the largest component: every edge is as likely as every other.

    Raises BadInput for no pairs.
    """
    if count < 1:
        raise BadInput(f"pairs is {count}, it must be 1 or more")
    edges = edges_of_largest_component(graph)
    rng = np.random.default_rng(seed)
    start, end = rng.choice(edges, (2, count))
    return Pairs(start, rng.random(count), end, rng.random(count))


def random_tastes(count: int, seed: int) -> list[dict[str, float]]:
    """Tastes in which the weight of every factor is uniform in -0.3 .. 1.0."""
    rng = np.random.default_rng(seed)
    rows = rng.uniform(LEAST_WEIGHT, LARGEST_WEIGHT, (count, len(FACTOR_NAMES)))
    return [dict(zip(FACTOR_NAMES, row.tolist(), strict=True)) for row in rows]


def random_stretches(graph: Graph, count: int, seed: int) -> list[I32]:
    """Stretches of the largest component, no edge twice: each an edge and its reverse, where it has one."""
    edges = edges_of_largest_component(graph)
    drawn = np.random.default_rng(seed).permutation(edges)
    back = graph.reverse[drawn]
    first_of_its_own = (back < 0) | (drawn < back)
    drawn, back = drawn[first_of_its_own][:count], back[first_of_its_own][:count]
    return [
        np.array([edge] if other < 0 else [edge, other], np.int32)
        for edge, other in zip(drawn.tolist(), back.tolist(), strict=True)
    ]


def random_closures(graph: Graph, share: float, seed: int) -> I32:
    """The edges of so many stretches that this share of all edges is closed."""
    wanted = share * graph.edge_count
    closed: list[int] = []
    for stretch in random_stretches(graph, graph.edge_count, seed):
        if len(closed) >= wanted:
            break
        closed += stretch.tolist()
    return np.array(sorted(closed), np.int32)


def edges_of_largest_component(graph: Graph) -> I32:
    """The edges of the component that has most of them."""
    largest = np.bincount(graph.component).argmax()
    return np.flatnonzero(graph.component == largest).astype(np.int32)
