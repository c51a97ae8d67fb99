"""The matching kernel says what its naive twin says, fix by fix, on drawn maps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geo.geodesy import from_local
from geo.matching import MATCH_STATE, MatchFixes, empty_matches, match_arrays, match_fixes
from tests.geo.asciimap import ORIGIN_LAT, ORIGIN_LON, graph_from_ascii
from tests.geo.naive_matching import NaiveMatcher

MAPS = {
    "grid": """
        A--B--C--D
        |  |  |  |
        E--F--G--H
        |     |  |
        I--J--K--L
        """,
    "parallel": """
        A---B---------C
        D---E---------F
        |             |
        G-------------H
        """,
    "square": """
        A------B
        |      |
        |      |
        C------D---E
               |   |
               F   G
        """,
}


def wander(seed, seconds=220):
    """A restless walker: heads somewhere, stands, leaves out fixes, jumps; (ts, lat, lon, accuracy_m)."""
    rng = np.random.default_rng(seed)
    x, y, heading, ts = 30.0, -10.0, 0.0, 1_705_602_000.0
    error = np.zeros(2)
    rows = []
    for _ in range(seconds):
        ts += rng.choice([0.2, 1.0, 1.0, 1.0, 1.0, 4.0, 61.0], p=[0.03, 0.3, 0.3, 0.2, 0.1, 0.06, 0.01])
        if rng.uniform() < 0.06:
            heading = rng.choice(4) * math.pi / 2 + rng.normal(0, 0.1)
        x = min(220.0, max(-60.0, x + 2.0 * math.cos(heading)))
        y = min(50.0, max(-130.0, y + 2.0 * math.sin(heading)))
        error = 0.9 * error + rng.normal(0, 2.0, 2)
        jump = 150.0 if rng.uniform() < 0.01 else 0.0
        lat, lon = from_local(x + error[0] + jump, y + error[1], ORIGIN_LAT, ORIGIN_LON)
        rows.append((ts, float(lat), float(lon), float(rng.choice([math.nan, 5.0, 12.0, 80.0]))))
    return rows


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("drawn", MAPS)
def test_the_same_as_the_naive_twin(drawn, seed):
    graph, _ = graph_from_ascii(MAPS[drawn], metres_per_char=20.0)
    rows = wander(seed)
    ts, lat, lon, accuracy = (np.array(column) for column in zip(*rows, strict=True))
    n = len(rows)
    out = empty_matches(n)
    fixes = MatchFixes(
        np.zeros(n, np.int32), np.zeros(n, np.uint8), ts, lat, lon, accuracy.astype(np.float32)
    )
    match_fixes(match_arrays(graph), np.zeros(1, MATCH_STATE), fixes, out)
    twin = NaiveMatcher(graph)
    for i, row in enumerate(rows):
        expected = twin.add(*row)
        where = f"map {drawn}, seed {seed}, fix {i}"
        for name, value in expected._asdict().items():
            assert getattr(out, name)[i] == pytest.approx(value, abs=1e-4, nan_ok=True), f"{where}: {name}"
    assert 0 < out.off_network.sum() < n  # both kinds of places were visited
