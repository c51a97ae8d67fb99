"""`flaneur bench checkpoint`: how it tells what the loop did."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest

from bench.checkpoint import CheckpointJob, _longest_callback, _repeated
from bench.rig.fixes import Tick
from geo.errors import BadInput


def spin(cpu_s: float) -> None:
    begun = time.thread_time()
    while time.thread_time() - begun < cpu_s:
        pass


def test_the_longest_piece_is_found_and_forgotten() -> None:
    async def work() -> tuple[float, float]:
        with _longest_callback() as longest_s:
            for cpu_s in (0.005, 0.03, 0.01):
                spin(cpu_s)
                await asyncio.sleep(0)
            first = longest_s()
            spin(0.002)
            await asyncio.sleep(0)
            return first, longest_s()

    first, second = asyncio.run(work())
    assert 0.03 <= first < 0.045  # not their sum
    assert 0.002 <= second < first


def test_few_walks_are_walked_by_many() -> None:
    one = np.array([1.0, 2.0])
    tick = _repeated(Tick(7.0, one, one + 1, one + 2, one + 3), 5)
    assert tick.ts_s == 7.0
    assert tick.lat.tolist() == [1.0, 2.0, 1.0, 2.0, 1.0]
    assert tick.accuracy_m.tolist() == [4.0, 5.0, 4.0, 5.0, 4.0]


def test_a_job_without_walkers_is_refused() -> None:
    with pytest.raises(BadInput, match="1 or more"):
        CheckpointJob(devices=0)
