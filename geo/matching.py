"""Online map matching: on which directed edge each walker is, or that it is off the network.

A hidden Markov model over the streets near each fix (Newson and Krumm 2009, "Hidden Markov map matching
through noise and sparseness"), decoded fix by fix with a fixed lag (Goh et al. 2012, "Online map-matching
based on hidden Markov model for real-time traffic sensing applications"). What is different for people on
foot: both directions of a street are states, so that the direction follows the movement and turning round
is possible anywhere; being off the network is a state of its own, so that squares, parks and courtyards
work; and successive fixes count for less than independent ones, because a phone's error drifts slowly.

A walker's state is one element of an array of `MATCH_STATE`; an element of zeros is a walker who was never
seen. Results depend on the walker's own fixes in order only, not on blocks or on other walkers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.errors import BadInput
from geo.graph import F32, F64, I32, I64, U8, Graph
from geo.match_kernels import distance_to, match_block, trace_back

STEPS = 11
STATES = 10  # directed edges a step can tell apart, besides being off the network
MAX_LAG_S = 60.0

MATCH_STATE = np.dtype(
    [
        ("last_ts", np.float64),  # of the last fix that was matched
        ("last_lat", np.float64),
        ("last_lon", np.float64),
        ("step_ts", np.float64, (STEPS,)),
        ("edge", np.int32, (STEPS, STATES)),  # directed, -1 none
        ("score", np.float32, (STATES + 1,)),  # log-likelihood of the newest step's states, best 0
        ("mps", np.float32, (STATES + 1,)),  # the pace along each
        ("way_m2", np.float32),  # variances and covariance of the way made and the pace
        ("way_pace_m2ps", np.float32),
        ("pace_m2ps2", np.float32),
        ("sigma_m", np.float32),
        ("best_probability", np.float32),
        ("best_m", np.float32),
        ("fraction", np.uint16, (STEPS, STATES)),  # of the edge's length, 65535 is 1
        ("back", np.uint8, (STEPS, STATES + 1)),  # state of the step before
        ("head", np.uint8),  # the newest step
        ("steps", np.uint8),  # steps in the lattice
        ("best", np.uint8),  # state of the newest step
        ("jumps", np.uint8),  # implausible fixes in a row
    ],
    align=True,
)

MatchStates = NDArray[Any]  # (capacity,) of MATCH_STATE, indexed by a walker's slot


class MatchArrays(NamedTuple):
    """What the matcher reads of a graph (see `geo.graph.Graph` for shapes)."""

    first_out: I32
    head: I32
    tail: I32
    reverse: I32
    length_m: F32
    shape_first: I64
    shape_lat: F64
    shape_lon: F64
    grid_key: I64
    grid_first: I64
    grid_edge: I32


class MatchFixes(NamedTuple):
    """A block of n fixes in order of arrival; each walker's IN_ORDER ones ascend in ts."""

    slot: I32
    kind: U8  # as written by geo.windows.classify_events; only IN_ORDER ones are matched
    ts: F64  # seconds since the epoch
    lat: F64  # degrees
    lon: F64
    accuracy_m: F32  # nan unknown


class Matches(NamedTuple):
    """What is known after each of n fixes. `edge` is directed the way the walker goes."""

    edge: I32  # -1 off the network, or not matched
    fraction: F32  # 0..1 of the edge's length
    probability: F32  # of this state against all others; 0 where the fix was ignored
    off_network: U8
    distance_m: F32  # to the edge (off the network to the nearest one, inf if none is near); nan: not matched
    settled_edge: I32  # the same for an earlier fix of the walker, now that more is known
    settled_fraction: F32
    settled_ts: F64  # that fix's event time, nan if none is settled yet


class MatchParams(NamedTuple):
    """The model's constants; log-likelihoods without a unit. Defaults were fitted on simulated walks."""

    sigma_m: float = 8.0  # error of a fix without an accuracy
    sigma_min_m: float = 4.0
    sigma_max_m: float = 30.0
    reach_m: float = 20.0  # streets farther than this plus sigma are no candidates
    first_mps: float = 1.2  # pace of a walker of whom nothing is known
    first_spread_mps: float = 1.0  # standard deviation of that
    unrest_mps2: float = 0.2  # how much a pace changes, per square root of a second
    follow: float = 3.0  # of a fix's variance, along the street
    ways: float = 3.0  # ways longer than expected by this many of them do not exist
    turn: float = 3.5  # cost of turning round
    leave: float = 6.0  # cost of leaving the network
    join: float = 2.5  # cost of coming back
    off_m: float = 16.0  # off the network is as likely as a street at this distance,
    off_sigmas: float = 2.0  # or this many sigmas
    error_s: float = 5.5  # fixes this far apart have independent errors
    beam: float = 8.0  # states less likely than the best by more are given up
    gap_s: float = 60.0  # after such a gap the lattice starts anew
    min_step_s: float = 0.5  # fixes that follow sooner are not matched
    max_speed_mps: float = 12.0  # faster is a jump
    jumps: float = 1.0  # this many in a row are ignored


def match_arrays(graph: Graph) -> MatchArrays:
    """The arrays of a graph that `match_fixes` needs (views, memory-mapped ones stay so)."""
    return MatchArrays(*(np.asarray(getattr(graph, name)) for name in MatchArrays._fields))


def empty_matches(n: int) -> Matches:
    """Room for the results of n fixes."""
    return Matches(
        np.empty(n, np.int32),
        np.empty(n, np.float32),
        np.empty(n, np.float32),
        np.empty(n, np.uint8),
        np.empty(n, np.float32),
        np.empty(n, np.int32),
        np.empty(n, np.float32),
        np.empty(n, np.float64),
    )


def match_fixes(
    arrays: MatchArrays,
    state: MatchStates,
    fixes: MatchFixes,
    out: Matches,
    params: MatchParams = MatchParams(),  # noqa: B008 (immutable)
    lag_s: float = 10.0,
) -> None:
    """Match a block of fixes of any walkers, one step of the online model for each.

    state: (capacity,) of MATCH_STATE, updated. out: see Matches; `settled_*` is the walker's newest fix
    that is at least lag_s older (at most 10 steps back). Raises BadInput for a wrong dtype, unequal
    lengths or a lag outside 0..60 s.
    """
    if state.dtype != MATCH_STATE:
        raise BadInput("state is not an array of MATCH_STATE")
    n = len(fixes.slot)
    columns: list[NDArray[Any]] = [*fixes, *out]
    for name, array, dtype in zip(MatchFixes._fields + Matches._fields, columns, _DTYPES, strict=True):
        if array.dtype != dtype or array.shape != (n,):
            raise BadInput(f"{name} is {array.dtype} {array.shape}, needed {np.dtype(dtype)} ({n},)")
    if not 0.0 <= lag_s <= MAX_LAG_S:
        raise BadInput(f"lag_s is {lag_s}, it must be 0 to {MAX_LAG_S:g} seconds")
    match_block(arrays, state, fixes, MatchParams(*map(float, params)), float(lag_s), out)


_DTYPES = (
    *(np.int32, np.uint8, np.float64, np.float64, np.float64, np.float32),
    *(np.int32, np.float32, np.float32, np.uint8, np.float32, np.int32, np.float32, np.float64),
)


class Step(NamedTuple):
    """One step of a walker's lattice on its best path."""

    ts: float
    edge: int  # directed, -1 off the network
    fraction: float


def read_lattice(state: MatchStates, slot: int) -> list[Step]:
    """The last steps of a walker (at most 11), oldest first, as the best path sees them now."""
    edge, fraction, ts = np.empty(STEPS, np.int32), np.empty(STEPS), np.empty(STEPS)
    count = trace_back(state[slot], edge, fraction, ts)
    return [Step(float(ts[k]), int(edge[k]), float(fraction[k])) for k in range(count - 1, -1, -1)]


def edge_distance_m(arrays: MatchArrays, edge: int, lat: float, lon: float) -> float:
    """Metres from a point in degrees to the nearest point of an edge."""
    return float(distance_to(arrays, edge, lat, lon))
