"""Passages along edges: against a plain twin, wherever blocks are cut, and on a drawn street."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import BadInput
from geo.passages import PASSAGE, PASSAGE_STATE, SettledFixes, edge_ends, fold_passages
from tests.geo.asciimap import graph_from_ascii

GRAPH, AT = graph_from_ascii("A----B----C----D")
ENDS = edge_ends(GRAPH)
T0 = 1_700_000_040.0  # a full minute


def edge(a, b):
    return next(e for e in range(GRAPH.edge_count) if (GRAPH.tail[e], GRAPH.head[e]) == (AT[a], AT[b]))


def passages(rows, cuts=()):
    """Passages of rows (slot, ts, edge, fraction), folded in blocks that begin at the cuts."""
    state = np.zeros(8, PASSAGE_STATE)
    found = []
    bounds = [0, *sorted(cuts), len(rows)]
    for first, end in pairwise(bounds):
        block = rows[first:end]
        n = len(block)
        fixes = SettledFixes(
            np.array([r[0] for r in block], np.int32), np.full(n, 60.0), np.full(n, 24.0),
            np.array([r[2] for r in block], np.int32), np.array([r[3] for r in block], np.float32),
            np.array([r[1] for r in block], np.float64),
        )  # fmt: skip
        out = np.zeros(n, PASSAGE)
        found += out[: fold_passages(ENDS, state, fixes, out)].tolist()
    return [(slot, ts, edge, walked, seconds) for ts, slot, edge, _, _, walked, seconds in found]


def naive(rows):
    """The same, walker by walker, step by step, in plain words."""
    found = []
    for slot in sorted({row[0] for row in rows}):
        steps = []
        for at, (_, ts, e, f) in enumerate(rows):
            if rows[at][0] == slot and not math.isnan(ts) and (not steps or ts > steps[-1][1]):
                steps.append((at, ts, e, float(np.float32(f))))
        open_m = open_s = 0.0
        for (_, t1, e1, f1), (at, t2, e2, f2) in pairwise(steps):
            walked = seconds = 0.0
            over = e1 != e2 or t1 // 60 != t2 // 60 or t2 - t1 > 60
            if t2 - t1 > 60:
                pass
            elif e1 == e2:
                seconds = t2 - t1
                walked = 0.0 if e1 < 0 else (f2 - f1) * GRAPH.length_m[e1]
            elif e1 < 0 or e2 < 0:
                open_s += t2 - t1
            elif GRAPH.head[e1] == GRAPH.tail[e2]:
                before, after = (1 - f1) * GRAPH.length_m[e1], f2 * GRAPH.length_m[e2]
                part = before / (before + after) if before + after > 0 else 1.0
                open_m, open_s = open_m + before, open_s + part * (t2 - t1)
                walked, seconds = after, (1 - part) * (t2 - t1)
            if over:
                if open_s > 0:
                    found.append((at, (slot, t1, e1, max(0.0, open_m), open_s)))
                open_m = open_s = 0.0
            open_m, open_s = open_m + walked, open_s + seconds
    return [row for _, row in sorted(found)]


row = st.tuples(
    st.integers(0, 2),
    st.one_of(st.integers(0, 200).map(lambda s: T0 + s), st.just(math.nan)),
    st.integers(-1, GRAPH.edge_count - 1),
    st.sampled_from([0.0, 0.2, 0.5, 1.0]),
)


@settings(deadline=None)
@given(st.lists(row, max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_passages_are_those_of_the_twin_wherever_blocks_are_cut(rows, cuts):
    rows.sort(key=lambda r: 0.0 if math.isnan(r[1]) else r[1])
    got = passages(rows, [min(cut, len(rows)) for cut in cuts])
    assert [p[:3] for p in got] == [p[:3] for p in naive(rows)]
    np.testing.assert_allclose([p[3:] for p in got], [p[3:] for p in naive(rows)], rtol=1e-4, atol=1e-3)


@settings(deadline=None)
@given(st.lists(row, max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_cutting_changes_no_bit(rows, cuts):
    rows.sort(key=lambda r: 0.0 if math.isnan(r[1]) else r[1])
    assert passages(rows, [min(cut, len(rows)) for cut in cuts]) == passages(rows)


def test_a_walk_along_two_streets_gives_each_its_time_and_metres():
    ab, bc = edge("A", "B"), edge("B", "C")
    length = float(GRAPH.length_m[ab])
    rows = [(0, T0 + k, ab, k / 40) for k in range(0, 40, 2)]
    rows += [(0, T0 + 40 + k, bc, k / 40) for k in range(1, 30, 2)]
    (first, second) = passages(rows)
    assert first[2] == ab
    assert first[3:] == (pytest.approx(length, rel=1e-3), pytest.approx(40.0, abs=0.1))
    assert (second[1], second[2]) == (T0 + 59, bc)  # the minute is over
    assert second[3:] == (pytest.approx(length * 19 / 40, rel=1e-3), pytest.approx(19.0, abs=0.1))


def test_after_a_gap_nobody_knows_where_the_walker_was():
    ab = edge("A", "B")
    rows = [(0, T0, ab, 0.0), (0, T0 + 10, ab, 0.2), (0, T0 + 100, ab, 0.9), (0, T0 + 119, ab, 1.0)]
    ((_, ts, _, _, seconds), *rest) = passages([*rows, (0, T0 + 120, ab, 1.0)])
    assert (ts, seconds) == (T0 + 10, 10.0)
    assert [p[4] for p in rest] == [19.0]


def test_what_has_another_form_is_refused():
    fixes = SettledFixes(*(np.zeros(2, dtype) for dtype in ("i4", "f8", "f8", "i4", "f4", "f8")))
    with pytest.raises(BadInput, match="room for 2"):
        fold_passages(ENDS, np.zeros(1, PASSAGE_STATE), fixes, np.zeros(1, PASSAGE))
    with pytest.raises(BadInput, match="PASSAGE_STATE"):
        fold_passages(ENDS, np.zeros(1, PASSAGE), fixes, np.zeros(2, PASSAGE))
