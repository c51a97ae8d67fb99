"""Names of records that are written ahead of buckets: none is used again while it may be all there is."""

from __future__ import annotations

from streams.worker.ahead import MOST_WALKERS, AheadRecords


def test_a_name_is_free_again_after_a_checkpoint_that_began_later() -> None:
    ahead = AheadRecords()
    (first,) = ahead.add([b"anna"])
    assert ahead.devices(first) == {b"anna"}
    ahead.begin_checkpoint()
    (second,) = ahead.add([b"bob"])
    ahead.end_checkpoint()
    assert second != first
    assert ahead.add([b"carl"]) == {first}  # its buckets are stored, the second's are not
    assert ahead.add([b"dora"]).isdisjoint({first, second})


def test_a_checkpoint_that_did_not_end_frees_nothing() -> None:
    ahead = AheadRecords()
    (first,) = ahead.add([b"anna"])
    ahead.begin_checkpoint()
    assert ahead.add([b"bob"]).isdisjoint({first})
    ahead.begin_checkpoint()
    ahead.end_checkpoint()
    assert first in ahead.add([b"carl"]) | ahead.add([b"dora"])


def test_what_was_read_is_not_written_over_before_a_checkpoint() -> None:
    ahead = AheadRecords()
    for name in ("ahead-3", "ahead-1"):
        ahead.seen(name)
    names = {name for _ in range(4) for name in ahead.add([b"anna"])}
    assert names == {"ahead-0", "ahead-2", "ahead-4", "ahead-5"}
    ahead.begin_checkpoint()
    ahead.end_checkpoint()
    assert {name for _ in range(6) for name in ahead.add([b"anna"])} == {f"ahead-{n}" for n in range(6)}


def test_many_walkers_are_spread_over_several_records() -> None:
    ahead = AheadRecords()
    devices = [b"%d" % k for k in range(MOST_WALKERS + 1)]
    names = ahead.add(devices)
    assert len(names) == 2
    assert frozenset().union(*(ahead.devices(name) for name in names)) == set(devices)
    assert ahead.add([]) == set()
