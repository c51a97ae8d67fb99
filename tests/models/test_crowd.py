"""Crowds: the same whatever the order, blocks, restarts and partitions; of four walkers nothing is told."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import BadRecord
from models.records import CROWD_PREFIX, CellObservation, EdgeCondition, decode, encode
from models.world.crowd import DAY_S, EXPIRE_S, Crowd, Withdrawn, on_grid

CELLS = ("891126d3303ffff", "891126d3307ffff")
STREETS = ("1/2/3", "4/5/6")
T0 = 1_700_006_400.0  # a full hour, 32 minutes before none of interest


def passage(
    walker: int, ts: float, cell: str = CELLS[0], edge: str | None = STREETS[0], seconds: float = 20.0,
    expected_s: float = 20.0,
) -> CellObservation:  # fmt: skip
    return CellObservation(
        cell=cell, ts=ts, edges=[edge] if edge else [], walkers=[walker], edge=[0 if edge else -1],
        end_ts=[ts], walked_m=[25.0], seconds=[seconds], expected_s=[expected_s],
    )  # fmt: skip


def told(crowd: Crowd, now: float) -> dict[str, EdgeCondition | None]:
    """What is told at a moment, by key; None: withdrawn."""
    return {
        one.key.removeprefix(CROWD_PREFIX): None if isinstance(one, Withdrawn) else one
        for one in crowd.changed(now)
    }


def folded(records: Iterable[CellObservation]) -> Crowd:
    crowd = Crowd()
    crowd.fold(records)
    return crowd


# k-anonymity


def test_of_four_walkers_nothing_is_told_however_often_they_come() -> None:
    records = [passage(w, T0 + 60.0 * m + w) for m in range(14) for w in range(1, 5)]
    crowd = folded(records)
    assert all(told(crowd, T0 + 60.0 * m) == {} for m in range(1, 40))


def test_of_five_it_is_told_how_many_and_how_fast() -> None:
    crowd = folded(passage(w, T0 + w, seconds=25.0) for w in range(1, 6))
    found = told(crowd, T0 + 60.0)
    assert set(found) == {CELLS[0], STREETS[0]}
    street, cell = found[STREETS[0]], found[CELLS[0]]
    assert street is not None
    assert cell is not None
    assert (street.walkers_300s, street.walkers_900s, street.pace_ratio) == (5, 5, 0.8)
    assert street.walkers_at_once == on_grid(5 * 25.0 / 300.0)
    assert (cell.walkers_900s, cell.pace_ratio) == (5, None)
    assert street.expires == T0 + 60.0 + EXPIRE_S
    assert encode(street)


def test_when_the_fifth_has_left_the_window_everything_is_withdrawn_and_nothing_is_left() -> None:
    crowd = folded([passage(w, T0 + 300.0) for w in range(1, 5)] + [passage(5, T0 + 1.0)])
    assert set(told(crowd, T0 + 360.0)) == {CELLS[0], STREETS[0]}
    later = [told(crowd, T0 + 60.0 * m) for m in range(7, 30)]
    withdrawn = [m for m, found in enumerate(later, 7) if None in found.values()]
    assert withdrawn == [16]  # minutes 1 to 15 still hold what was walked in minute 0
    assert later[16 - 7] == {CELLS[0]: None, STREETS[0]: None}
    assert all(found == {} for found in later[16 - 7 + 1 :])


def test_five_in_the_cell_do_not_make_five_on_each_street() -> None:
    crowd = folded(passage(w, T0 + w, edge=STREETS[w % 2]) for w in range(1, 8))
    assert set(told(crowd, T0 + 60.0)) == {CELLS[0]}


def test_who_stands_is_in_the_cell_and_no_walker_on_the_stretch() -> None:
    crowd = folded(
        [passage(w, T0 + w) for w in range(1, 5)] + [passage(5, T0 + 5, seconds=55.0, expected_s=2.0)]
    )
    assert set(told(crowd, T0 + 60.0)) == {CELLS[0]}


def test_nobody_is_two_at_midnight() -> None:
    midnight = (T0 // DAY_S + 1) * DAY_S
    before = [passage(w, midnight - 100.0 + w) for w in range(1, 4)]
    after = [passage(100 + w, midnight + w) for w in range(1, 4)]  # the same three, by other names
    for order in (before + after, after + before):
        crowd = folded(order)
        assert all(told(crowd, midnight + 60.0 * m) == {} for m in range(-1, 20))


def test_a_clock_that_is_ahead_makes_no_time_pass() -> None:
    crowd = Crowd()
    taken = crowd.fold([passage(9, T0 + 5000.0), *(passage(w, T0 + w) for w in range(1, 6))], T0 + 60.0)
    assert taken == 5
    assert set(told(crowd, T0 + 60.0)) == {CELLS[0], STREETS[0]}


# the same whatever happens

walk = st.tuples(st.integers(1, 9), st.integers(0, 1), st.sampled_from([None, *STREETS]), st.integers(5, 60))


def walks(drawn: Sequence[tuple[int, int, str | None, int]]) -> list[CellObservation]:
    """Passages in the order of their ends, ten seconds apart; streets belong to one cell each."""
    return [
        passage(
            walker, T0 + 10.0 * k + 0.001 * walker, CELLS[STREETS.index(street) if street else cell], street,
            float(seconds), 20.0,
        )
        for k, (walker, cell, street, seconds) in enumerate(drawn)
    ]  # fmt: skip


def walker_order(records: list[CellObservation], seed: int) -> list[CellObservation]:
    """Another order in which each walker's own passages keep theirs: what several partitions make of it."""
    queues: dict[int, list[CellObservation]] = {}
    for record in records:
        queues.setdefault(record.walkers[0], []).append(record)
    chance = random.Random(seed)
    mixed = []
    while queues:
        walker = chance.choice(sorted(queues))
        mixed.append(queues[walker].pop(0))
        if not queues[walker]:
            del queues[walker]
    return mixed


def restarted(crowd: Crowd, names: Iterable[str] = CELLS) -> Crowd:
    """What another worker has that read the checkpoint."""
    other = Crowd()
    for name in names:
        packed = crowd.pack(name)
        if packed is not None:
            other.load(name, packed)
    return other


def features(found: dict[str, EdgeCondition | None]) -> dict[str, EdgeCondition | None]:
    return dict(sorted(found.items()))


@settings(deadline=None, max_examples=60)
@given(st.lists(walk, min_size=15, max_size=30), st.integers(0, 99), st.lists(st.integers(0, 30), max_size=4))
def test_order_repetition_blocks_restarts_and_partitions_change_nothing(
    drawn: list[tuple[int, int, str | None, int]], seed: int, cuts: list[int]
) -> None:
    records = walks(drawn)
    now = T0 + 360.0
    wanted = features(told(folded(records), now))
    other = walker_order(records, seed)
    crowd, since = Crowd(), 0
    for cut in sorted({*cuts, len(other)}):
        crowd.fold(other[since:cut])
        crowd.fold(other[max(0, cut - 3) : cut])  # sent again after a crash of the sender
        since = min(cut, len(other))
        crowd = restarted(crowd)
    assert features(told(crowd, now)) == wanted
    halves = [folded(r for r in other if r.cell == cell) for cell in CELLS]
    assert features({k: v for half in halves for k, v in told(half, now).items()}) == wanted


def test_half_a_minute_later_nothing_is_new_and_after_a_restart_all_is_told_again() -> None:
    crowd = folded(passage(w, T0 + w) for w in range(1, 6))
    first = told(crowd, T0 + 60.0)
    assert first
    assert told(crowd, T0 + 90.0) == {}
    again = told(restarted(crowd), T0 + 90.0)
    assert again == first
    gone = restarted(crowd)
    assert told(gone, T0 + 2000.0) == {CELLS[0]: None, STREETS[0]: None}


def test_what_stays_is_told_again_before_it_expires() -> None:
    crowd = Crowd()
    expires = 0.0
    for m in range(30):
        crowd.fold(passage(w, T0 + 60.0 * m + w) for w in range(1, 6))
        now = T0 + 60.0 * (m + 1)
        one = told(crowd, now).get(STREETS[0])
        expires = one.expires if one else expires
        assert expires > now + 120.0


def test_what_nobody_visits_is_forgotten() -> None:
    crowd = folded(passage(w, T0 + w) for w in range(1, 4))
    crowd.changed(T0 + 60.0)
    assert crowd.pack(CELLS[0]) is not None
    crowd.changed(T0 + 4000.0)
    assert crowd.pack(CELLS[0]) is None
    assert CELLS[0] in crowd.dirty_cells()


def test_damaged_state_is_refused() -> None:
    packed = folded([passage(1, T0)]).pack(CELLS[0])
    assert packed is not None
    for bad in (b"", packed[:-1], packed.replace(b'"day"', b'"dax"'), b"\x02\0\0\0{}"):
        with pytest.raises(BadRecord, match="crowd of"):
            Crowd().load(CELLS[0], bad)


def test_forecasts_come_with_the_crowd_and_stay_through_a_restart() -> None:
    crowd = Crowd()
    for m in range(15 * 24):
        crowd.fold(passage(w, T0 + 60.0 * m + w) for w in range(1, 8))
        last = told(crowd, T0 + 60.0 * (m + 1)).get(CELLS[0]) or None
        if m == 15 * 20:
            crowd = restarted(crowd)
        if last is not None:
            newest = last
    assert newest.walkers_at_once is not None
    assert newest.walkers_at_once_1h == pytest.approx(7 * 20.0 / 60.0, rel=0.1)
    assert newest.walkers_at_once_1h_error is not None
    assert newest.walkers_at_once_3h_within is not None
    assert decode(EdgeCondition, encode(newest)) == replace(newest)
