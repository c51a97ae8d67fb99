"""Event-time windows of walkers, cells or edges: panes in rings, whatever order the events arrive in.

Features are declared as data (`geo.window_layout`), and one kernel serves every declaration. Each event is
added to one pane of every ring, and a window is read by running over its panes. What a pane holds is
integers that no order of arrival changes, so the same events give bit-identical features in any order within
the grace, however the stream is cut into blocks, and whatever is stored and loaded in between.

An entity's state is one element of an array of `layout.dtype`. Three steps a block: `classify_events` (what
is new, a repetition, too late), `fold_events` (into panes), `read_features` (out of panes).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo import event_kinds, window_kernels
from geo.errors import BadInput
from geo.graph import F32, F64, I32, I64, U8
from geo.window_layout import WindowLayout

IN_ORDER, OUT_OF_ORDER, DUPLICATE, LATE = 0, 1, 2, 3

WindowStates = NDArray[Any]  # (capacity,) of a layout's dtype, indexed by an entity's slot

_NO_KEYS = np.zeros(1, np.int64)


def classify_events(layout: WindowLayout, state: WindowStates, slot: I32, ts: F64, out_kind: U8) -> None:
    """Write IN_ORDER, OUT_OF_ORDER, DUPLICATE or LATE for each event of a block, in order of arrival.

    state: (capacity,) of layout.dtype, updated. slot: (n,) int32. ts: (n,) event time, seconds since the
    epoch, told apart to the millisecond. out_kind: (n,) uint8.
    An event is LATE if it is older than its own entity's watermark (latest event time - grace) or than what
    the remembered times can tell from a repetition; DUPLICATE if its event time was accepted before, never
    where the layout remembers no times. Raises BadInput for a wrong dtype or unequal lengths.
    """
    _check(
        layout, state, len(slot), slot=(slot, np.int32), ts=(ts, np.float64), out_kind=(out_kind, np.uint8)
    )
    event_kinds.classify(window_kernels.views_of(state), layout.plan, slot, ts, out_kind)


def fold_events(
    layout: WindowLayout,
    state: WindowStates,
    slot: I32,
    kind: U8,
    ts: F64,
    values: F64,
    keys: I64 | None = None,
) -> None:
    """Add the events of a block that are IN_ORDER or OUT_OF_ORDER to their panes.

    Arrays (n,), in order of arrival; kind as `classify_events` wrote it. values: (S, n), a row for each of
    layout.sources (`geo.window_layout.values_of`), nan where unknown. keys: (n,) int64, what `distinct`
    tells apart; needed if a feature does. Raises BadInput as above.
    """
    n = len(slot)
    _check(layout, state, n, slot=(slot, np.int32), kind=(kind, np.uint8), ts=(ts, np.float64))
    if (
        values.dtype != np.float64
        or values.shape != (len(layout.sources), n)
        or not values.flags.c_contiguous
    ):
        raise BadInput(
            f"values are {values.dtype} {values.shape}, needed float64 ({len(layout.sources)}, {n})"
        )
    if layout.has_keys:
        if keys is None:
            raise BadInput("keys are needed: a feature counts the distinct ones")
        _check(layout, state, n, keys=(keys, np.int64))
    window_kernels.fold(
        window_kernels.views_of(state), layout.plan, slot, kind, ts, values,
        keys if layout.has_keys and keys is not None else _NO_KEYS,
    )  # fmt: skip


def read_features(layout: WindowLayout, state: WindowStates, slots: I32, now_ts: F64, out: F32) -> None:
    """Write the features of entities `slots` as of `now_ts` into `out`, columns layout.names.

    slots: (n,) int32. now_ts: (n,) event time in seconds (never before the entity's latest event: an earlier
    one is read as that). out: (n, F) float32; nan where there is nothing to tell, e.g. the pace of one who
    has not moved from pane to pane yet. path is the sum of the chords between the last places of successive
    panes that end in the window. Raises BadInput.
    """
    _check(layout, state, len(slots), slots=(slots, np.int32), now_ts=(now_ts, np.float64))
    if out.dtype != np.float32 or out.shape != (len(slots), len(layout.features)):
        raise BadInput(
            f"out is {out.dtype} {out.shape}, needed float32 ({len(slots)}, {len(layout.features)})"
        )
    window_kernels.read(window_kernels.views_of(state), layout.plan, slots, now_ts, out)


def features_at(
    layout: WindowLayout, slot: I32, ts: F64, values: F64, at_ts: F64, keys: I64 | None = None
) -> F32:
    """Features of entities 0..m-1, each as of its own moment: the same kernels on a batch, for offline use.

    slot, ts, values, keys: n events as for `fold_events`, in any order; at_ts: (m,) seconds since the epoch.
    Events after an entity's moment play no part, and none is late. Returns (m, F) float32.
    """
    known = np.flatnonzero(ts <= at_ts[slot])
    order = known[np.argsort(ts[known], kind="stable")]
    state = layout.empty_state(len(at_ts))
    slot, ts, values = slot[order], ts[order], np.ascontiguousarray(values[:, order])
    kind = np.empty(len(slot), np.uint8)
    classify_events(layout, state, slot, ts, kind)
    fold_events(layout, state, slot, kind, ts, values, None if keys is None else keys[order])
    out = np.empty((len(at_ts), len(layout.features)), np.float32)
    read_features(layout, state, np.arange(len(at_ts), dtype=np.int32), at_ts, out)
    return out


def _check(layout: WindowLayout, state: WindowStates, n: int, **columns: tuple[NDArray[Any], type]) -> None:
    if state.dtype != layout.dtype or not state.flags.c_contiguous:
        raise BadInput("state is not a contiguous array of the layout's dtype")
    for name, (array, dtype) in columns.items():
        if array.dtype != dtype or array.shape != (n,):
            raise BadInput(f"{name} is {array.dtype} {array.shape}, needed {np.dtype(dtype)} ({n},)")
