"""Why a proposal is good, in words: what it spares and what it gives, and which streets it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geo.graph import I32, Graph
from geo.guidance.street_names import names_along
from geo.routing.costs import FACTOR_NAMES, weights
from geo.routing.paths import shares
from geo.routing.search import Path
from models.routes.planning import Planned
from models.routes.proposals import Yardstick

NOTABLE = 0.01  # of the walking time: what is felt less than this is not worth a word,
NOTABLE_WORSE = 0.03  # and what a walker is warned of must be felt more
_REASONS = 3
_MET = 0.005  # of the walking time
_LONGER_S = 30.0
_LEAST_SHARE = 0.04  # of a path, for a street to be named
_NOUNS = {
    "noise": "traffic noise",
    "air": "exhaust fumes",
    "green": "greenery",
    "unlit": "unlit stretches",
    "rough_surface": "rough ground",
    "steps": "stairs",
    "steep": "steep stretches",
    "unsheltered": "open sky",
    "narrow": "tight paths",
    "amenities": "cafés and benches",
    "traffic": "traffic now",
    "dark": "dark stretches",
    "aqi": "bad air now",
    "crowd": "crowds",
}
_PLURAL = frozenset({"unlit", "steps", "steep", "narrow", "dark", "crowd", "sights"})


@dataclass(frozen=True)
class Felt:
    """What one factor does to one proposal."""

    factor: str
    weight: float
    exposure: float  # mean over the walking time, 0..1
    usual: float  # the same of the yardstick
    added_s: float  # seconds felt that it adds, negative where it pleases


def noun(factor: str) -> str:
    """A factor as a thing in the sentence "more …"; what has no words of its own goes by its name."""
    return _NOUNS.get(factor, factor.replace("_", " "))


def breakdown(planned: Planned, yard: Yardstick) -> list[Felt]:
    """Every factor, in the order of `geo.routing.costs.FACTORS`."""
    rows = []
    for name, weight in zip(FACTOR_NAMES, weights(planned.taste).tolist(), strict=True):
        exposure = planned.exposures[name]
        added_s = weight * exposure * planned.duration_s
        rows.append(Felt(name, weight, exposure, yard.exposures[name], added_s))
    return rows


def most_felt(planned: Planned, yard: Yardstick) -> list[Felt]:
    """The factors that the taste weighs and the way meets or is spared, the most felt first."""
    rows = [row for row in breakdown(planned, yard) if max(row.exposure, row.usual) > _MET]
    rows = [row for row in rows if row.weight != 0.0]
    return sorted(rows, key=lambda row: -abs(row.weight) * max(row.exposure, row.usual))


def better_and_worse(planned: Planned, yard: Yardstick) -> tuple[list[Felt], list[Felt]]:
    """What is better than on the yardstick, the most felt first, and the one thing that is clearly worse."""
    rows = sorted(most_felt(planned, yard), key=lambda row: row.weight * (row.exposure - row.usual))
    differ = [row.weight * (row.exposure - row.usual) for row in rows]
    better = [row for row, felt in zip(rows, differ, strict=True) if felt <= -NOTABLE][:_REASONS]
    worse = [row for row, felt in zip(rows, differ, strict=True) if felt >= NOTABLE_WORSE][-1:]
    return better, worse


def is_quickest(planned: Planned, yard: Yardstick) -> bool:
    """Whether the way is the very one that it is compared with."""
    return yard.path is not None and np.array_equal(_walked(yard.path), _walked(planned.path))


def longer_s(planned: Planned, yard: Yardstick) -> float:
    """Seconds more than on the quickest way; 0 where that is not worth a word."""
    longer = planned.duration_s - yard.path.duration_s if yard.path is not None else 0.0
    return longer if longer >= _LONGER_S else 0.0


def why(planned: Planned, yard: Yardstick) -> str:
    """One sentence: what is better and what is worse than on the quickest way, or the streets around."""
    if is_quickest(planned, yard):
        return "The quickest way, and none is more pleasant."
    better, worse = better_and_worse(planned, yard)
    than = "the quickest way" if yard.path is not None else "the streets around"
    said = f"{_in_words(better)} than {than}" if better else f"much like {than}"
    if worse:
        said += f", though {_in_words(worse)}"
    if longer := longer_s(planned, yard):
        said += f"; {longer / 60:.0f} min longer"
    return f"{said[0].upper()}{said[1:]}."


def via(graph: Graph, path: Path, most: int = 4) -> list[str]:
    """The streets that a path follows furthest, in walking order; a pavement goes by its street's name."""
    walked_m = shares(path) * graph.length_m[path.edges]
    metres: dict[int, float] = {}
    for code, length in zip(
        names_along(graph, path.edges, walked_m).tolist(), walked_m.tolist(), strict=True
    ):
        if code >= 0:
            metres[code] = metres.get(code, 0.0) + length
    long_enough = [code for code, length in metres.items() if length >= _LEAST_SHARE * path.length_m]
    chosen = set(sorted(long_enough, key=lambda code: -metres[code])[:most])
    return [graph.names[code] for code in metres if code in chosen]


def _walked(path: Path) -> I32:
    """The edges of a path but for an end of 0 m."""
    edges: I32 = path.edges[shares(path) > 0.0]
    return edges


def _in_words(rows: Sequence[Felt]) -> str:
    """ "less traffic noise and exhaust fumes, more greenery"."""
    groups: dict[str, list[str]] = {}
    for row in rows:
        if row.exposure > row.usual:
            how = "more"
        else:
            how = "fewer" if row.factor in _PLURAL else "less"
        groups.setdefault(how, []).append(noun(row.factor))
    return ", ".join(f"{how} {_listed(nouns)}" for how, nouns in groups.items())


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
