"""GraphHopper's round trips, put in the figures that `flaneur bench loops` gives of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.peers.routing import ROUTING_PEERS, RoutingPeer, run_routing_peer
from bench.rig.timing import percentile

GRAPHHOPPER: RoutingPeer = next(peer for peer in ROUTING_PEERS if peer.name == "graphhopper")
TRIES = 5  # one after the other with other seeds; the first three are "three loops"
TOLERANCE = 0.05


@dataclass(frozen=True)
class RoundTrips:
    """Round trips of one wanted length, one from each start unless said otherwise."""

    length_m: float
    failure_share: float  # starts without any answer to the first try
    within_5pct_share: float  # of all starts
    length_error_median: float  # relative, of those that were answered
    best_of_five_error_median: float
    walked_twice_median: float  # share of the length
    walked_twice_p95: float
    three_loops_p99_ms: float


def measure_round_trips(
    extract: str, lengths_m: Sequence[float], starts: Sequence[tuple[float, float]]
) -> tuple[str, list[RoundTrips]]:
    """(version, figures of every length) from starts (lat, lon); raises Unavailable where it cannot run."""
    wanted = {"lengths_m": list(lengths_m), "starts": [list(start) for start in starts], "tries": TRIES}
    result = run_routing_peer(GRAPHHOPPER, {"extract": extract, "loops": wanted})
    answers = zip(lengths_m, result["loops"], strict=True)
    return str(result["version"]), [summed_up(length, tries) for length, tries in answers]


def summed_up(length_m: float, of_starts: Sequence[Sequence[Any]]) -> RoundTrips:
    """The figures of the tries from every start: each [length in m, share walked twice, ms], or None."""
    first = [tries[0] for tries in of_starts if tries[0] is not None]
    errors = [abs(found / length_m - 1.0) for found, _, _ in first]
    best = [
        min(abs(answer[0] / length_m - 1.0) for answer in tries if answer is not None)
        for tries in of_starts
        if any(answer is not None for answer in tries)
    ]
    twice = [share for _, share, _ in first]
    three_ms = [sum(answer[2] for answer in tries[:3]) for tries in of_starts if None not in tries[:3]]
    return RoundTrips(
        length_m,
        1.0 - len(first) / len(of_starts),
        sum(error <= TOLERANCE for error in errors) / len(of_starts),
        median(errors or [1.0]),
        median(best or [1.0]),
        median(twice or [0.0]),
        percentile(twice or [0.0], 95.0),
        percentile(three_ms or [0.0], 99.0),
    )
