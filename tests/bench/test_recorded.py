"""Recorded walks as tracks: to and fro on the recorded way, long enough, seeded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pytest

from bench.rig.recorded import recorded_tracks
from geo.errors import BadInput

WAY = [(60.17, 24.94), (60.171, 24.94), (60.171, 24.943), (60.172, 24.943)]


@pytest.fixture
def trace(tmp_path: Path) -> str:
    fixes = [{"device": "a", "ts": 1.7e9 + k, "lat": lat, "lon": lon} for k, (lat, lon) in enumerate(WAY)]
    path = tmp_path / "walk.jsonl"
    path.write_bytes(b"\n".join(map(orjson.dumps, fixes)))
    return str(path)


def test_everybody_walks_to_and_fro_on_the_recorded_way(trace: str) -> None:
    tracks = recorded_tracks([trace], 20, 2_000.0, seed=1)
    assert tracks.count == 20
    assert tracks.length_m().min() >= 2_000.0
    begins = set()
    for first, end in zip(tracks.first[:-1].tolist(), tracks.first[1:].tolist(), strict=True):
        points = [
            WAY.index((lat, lon))
            for lat, lon in zip(tracks.lat[first:end].tolist(), tracks.lon[first:end].tolist(), strict=True)
        ]
        assert (np.abs(np.diff(points)) == 1).all()
        begins.add(points[0])
    assert len(begins) > 1


def test_the_seed_decides(trace: str) -> None:
    one, same, other = (recorded_tracks([trace], 20, 500.0, seed) for seed in (1, 1, 2))
    assert one.lat.tobytes() == same.lat.tobytes()
    assert one.lat.tobytes() != other.lat.tobytes()


def test_a_trace_that_stands_still_is_no_walk(tmp_path: Path) -> None:
    path = tmp_path / "still.jsonl"
    path.write_bytes(b'{"device":"a","ts":1700000000,"lat":60.1,"lon":24.9}\n' * 2)
    with pytest.raises(BadInput, match="nobody walks anywhere"):
        recorded_tracks([str(path)], 3, 100.0, seed=1)
