"""What a change of the world means for the ways ahead: what they cost now, and what another would spare."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from geo.graph import F32, F64, I32
from geo.network import Network
from geo.routing.costs import FACTOR_NAMES, impedance
from geo.routing.scoring import pack, remaining_impedance, score_routes
from geo.routing.search import Path
from models import trip as trips
from models.live_route import taste_of
from models.planning import Planned
from models.wording import CLOSED, message_for_factor

TASTES_AT_ONCE = 64  # whose impedances of all edges are in memory at the same time


def costs_ahead(network: Network, ahead: Sequence[Path], tastes: F32) -> F64:
    """(n,) the impedance of each walker's way ahead; tastes (n, K) as trips hold them.

    A few tastes at a time: each needs the impedance of every edge.
    """
    distinct, row = _distinct(tastes)
    left = np.empty(len(ahead))
    for first in range(0, len(distinct), TASTES_AT_ONCE):
        some = distinct[first : first + TASTES_AT_ONCE]
        mine = np.flatnonzero((row >= first) & (row < first + len(some)))
        values = np.stack([impedance(network.graph, network.costs, taste_of(taste)) for taste in some])
        routes = pack([ahead[k] for k in mine.tolist()])
        begin = np.zeros(len(mine), np.int32)
        left[mine] = remaining_impedance(
            network.graph, values, routes, begin, routes.start_fraction, row[mine] - np.int32(first)
        )
    return left


def gain_of(kind: int, ahead: Path, cost: float, planned: Planned) -> float:
    """How much better the new way is, 0..1. Loops are compared by the minute: they need not be short."""
    if math.isinf(cost):
        return 1.0
    new = planned.impedance
    if kind == trips.KIND_LOOP:
        new *= ahead.duration_s / max(planned.duration_s, 1.0)
    return float(1.0 - new / max(cost, 1e-9))


def why(network: Network, ahead: Path, planned: Planned, taste: Mapping[str, float]) -> str:
    """What the new way spares the walker most, in words."""
    if network.costs.closed[ahead.edges].any():
        return CLOSED
    scores = score_routes(network.graph, network.costs, [ahead, planned.path], [taste])
    spared = scores.added_s[0, 0] - scores.added_s[1, 0]
    return message_for_factor(FACTOR_NAMES[int(np.argmax(spared))])


def _distinct(weights: F32) -> tuple[list[F32], I32]:
    """The different rows, and the row of each (nan equals nan here)."""
    index: dict[bytes, int] = {}
    row = np.array([index.setdefault(one.tobytes(), len(index)) for one in weights], np.int32)
    return [np.frombuffer(key, np.float32) for key in index], row
