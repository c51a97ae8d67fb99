"""A made-up city for loops and alternatives: a bent lattice with holes, dead ends and diagonals."""

import numpy as np

from geo.graph import Graph
from geo.routing.costs import STATIC_FACTORS
from tests.geo.naive_search import graph_of


def lattice_city(seed: int, side: int = 40) -> Graph:
    """About side² junctions, 100 m apart, mostly two-way, with smoothly varying pleasantness."""
    rng = np.random.default_rng(seed)
    count = side * side
    row, column = np.arange(count) // side, np.arange(count) % side
    lat = 55.6 + (row + rng.uniform(-0.25, 0.25, count)) * 0.0009
    lon = 12.5 + (column + rng.uniform(-0.25, 0.25, count)) * 0.0016
    pairs = []
    for n in range(count):
        if column[n] + 1 < side and rng.random() < 0.85:
            pairs.append((n, n + 1))
        if row[n] + 1 < side and rng.random() < 0.85:
            pairs.append((n, n + side))
        if row[n] + 1 < side and column[n] + 1 < side and rng.random() < 0.05:
            pairs.append((n, n + side + 1))
    tails = np.array([a for a, _ in pairs])
    wave = 0.5 + 0.5 * np.sin(row[tails] / 4 + seed) * np.cos(column[tails] / 5)
    per_pair = (wave[:, None] * rng.random((1, len(STATIC_FACTORS)))).astype(np.float32)
    return graph_of(lat, lon, pairs, static=per_pair)
