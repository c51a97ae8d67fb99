"""What the process that sends fixes sends, and what is remembered of it."""

from __future__ import annotations

import json

import numpy as np

from bench.rig.fixes import Walk
from bench.rig.pacing import AHEAD, Moment, Pacer, begin_s, fixes_of, moment
from bench.rig.tracks import join_tracks


def walk(walkers: int) -> Walk:
    track = (np.array([60.0, 60.01]), np.array([24.0, 24.01]))
    return Walk(join_tracks([track] * walkers), 1_000.0, 1, step_s=6.0)


def moments(walk: Walk, ticks: int, led_from: int | None) -> list[Moment]:
    fixes = [(device, json.loads(value)) for device, value in fixes_of(walk, ticks, led_from)]
    assert all(fix["device"] == device for device, fix in fixes)
    return [moment(device, fix["ts"]) for device, fix in fixes]


def test_who_is_led_has_steps_of_a_second_and_ends_with_the_others() -> None:
    ts_s = {}
    for device, ms in moments(walk(3), 4, led_from=2):
        ts_s.setdefault(device, []).append(ms / 1000.0)
    assert ts_s["d000000"] == ts_s["d000001"] == [1_000.0, 1_006.0, 1_012.0, 1_018.0]
    assert ts_s["d000002"] == [1_015.0, 1_016.0, 1_017.0, 1_018.0]
    assert begin_s(walk(3), 4) == 1_015.0


def test_every_walker_is_in_every_round() -> None:
    many = walk(2 * AHEAD + 3)
    for led_from in (None, 0, AHEAD + 1, 10_000):
        sent = moments(many, 2, led_from)
        assert [device for device, _ in sent] == many.devices() * 2


def test_what_is_remembered_is_what_was_sent() -> None:
    for led_from in (None, 2):
        pacer = Pacer("nowhere", walk(3), ticks=3, led_from=led_from)
        pacer.remember(np.arange(7.0))  # stopped in the third round
        assert list(pacer.sent_at_s) == moments(walk(3), 3, led_from)[:7]
        assert list(pacer.sent_at_s.values()) == list(range(7))
        assert pacer.sent_by == {"d000000": 3, "d000001": 2, "d000002": 2}
