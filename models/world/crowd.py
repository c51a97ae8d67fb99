"""What walkers tell of cells and stretches: how many there are, how fast they get on, and what comes.

Passages from `cell-observations` are folded into event-time windows of their cell and of their stretch
(`models.features.CROWD_WINDOWS`). Once a minute of event time everything is looked at: a place is told of
only while at least five different walkers are in its window, and withdrawn when they no longer are.
Pseudonyms change at midnight (UTC), so windows begin anew then: nobody is ever counted as two.

Pure: time comes with the passages and with `changed(now_ts)`. A walker's passages in a cell come in the order
of their ends, so one that is not newer than the walker's last was here before and counts no second time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import orjson

from geo.errors import BadRecord
from geo.graph import F32, I32
from geo.windows import classify_events, fold_events, read_features
from models.features import CROWD_WINDOWS
from models.records import CROWD_PREFIX, MIN_WALKERS, CellObservation, EdgeCondition
from models.world.forecast import slot_of
from models.world.forecast_table import ForecastTable

STEP_S = 60.0
WINDOW_S = 900.0
FORGET_S = WINDOW_S + 600.0  # a place where nobody was for so long is forgotten
EXPIRE_S = 420.0  # told again before
REFRESH_S = 240.0
DAY_S = 86_400.0
HALT_SHARE = 0.2  # who is slower than this share of the expected pace stands, and is no walker on the stretch
GRID = 1.15  # steps of what is told, so that not every minute brings a new value
_NAMES = CROWD_WINDOWS.names


class Withdrawn(NamedTuple):
    """Nothing is to be told of a key any more."""

    key: str


@dataclass(slots=True)
class _Cell:
    day: int
    seen: dict[int, float] = field(default_factory=dict)  # walker → end of the last passage
    edges: dict[str, int] = field(default_factory=dict)  # stretch → slot of its windows
    slot: int = -1  # of the cell's own windows
    told: dict[str, tuple[float, dict[str, Any]]] = field(default_factory=dict)  # key → expires, features


class Crowd:
    """The windows of one partition's cells; not shared between threads."""

    def __init__(self) -> None:
        self._cells: dict[str, _Cell] = {}
        self._windows = CROWD_WINDOWS.empty_state(256)
        self._free = list(range(255, -1, -1))
        self._forecasts = ForecastTable()
        self._step = -1
        self._slot = -1
        self._restored: set[str] = set()  # keys that may have been told otherwise before a crash
        self._dirty: set[str] = set()
        self.newest_ts = 0.0  # end of the newest passage

    # ---- what comes in

    def fold(self, records: Iterable[CellObservation], latest_ts: float = math.inf) -> int:
        """Take passages in; returns how many were new. What ends after `latest_ts` is a clock gone wrong."""
        slots: list[int] = []
        rows: list[tuple[float, float, float, int]] = []
        count = 0
        for record in records:
            cell = self._cells.get(record.cell)
            if cell is None:
                cell = self._cells[record.cell] = _Cell(-1)
            columns = zip(
                record.walkers, record.edge, record.end_ts, record.seconds, record.expected_s, strict=True
            )
            for walker, edge, ts, seconds, expected_s in columns:
                day = int(ts // DAY_S)
                if ts <= cell.seen.get(walker, 0.0) or day < cell.day or ts > latest_ts:
                    continue
                if day > cell.day:
                    self._fold_rows(slots, rows)  # before their slots become somebody else's
                    self._begin_day(cell, day)
                cell.seen[walker] = ts
                self.newest_ts = max(self.newest_ts, ts)
                count += 1
                row = (ts, seconds, expected_s, walker)
                slots.append(self._cell_slot(cell))
                rows.append(row)
                if edge >= 0 and expected_s > HALT_SHARE * seconds:
                    slots.append(self._edge_slot(cell, record.edges[edge]))
                    rows.append(row)
            self._dirty.add(record.cell)
        self._fold_rows(slots, rows)
        return count

    def _fold_rows(self, slots: list[int], rows: list[tuple[float, float, float, int]]) -> None:
        """Fold what has gathered, and empty the lists."""
        if not rows:
            return
        into = np.array(slots, np.int32)
        ts, seconds, expected_s, walkers = zip(*rows, strict=True)
        ends = np.array(ts, np.float64)
        kind = np.empty(len(ends), np.uint8)
        classify_events(CROWD_WINDOWS, self._windows, into, ends, kind)
        values = np.array([seconds, expected_s], np.float64)
        fold_events(CROWD_WINDOWS, self._windows, into, kind, ends, values, np.array(walkers, np.int64))
        slots.clear()
        rows.clear()

    def _begin_day(self, cell: _Cell, day: int) -> None:
        for slot in (cell.slot, *cell.edges.values()):
            self._release(slot)
        cell.day, cell.slot, cell.edges, cell.seen = day, -1, {}, {}

    def _cell_slot(self, cell: _Cell) -> int:
        if cell.slot < 0:
            cell.slot = self._new_slot()
        return cell.slot

    def _edge_slot(self, cell: _Cell, edge: str) -> int:
        slot = cell.edges.get(edge)
        if slot is None:
            slot = cell.edges[edge] = self._new_slot()
        return slot

    def _new_slot(self) -> int:
        if not self._free:
            before = len(self._windows)
            grown = CROWD_WINDOWS.empty_state(2 * before)
            grown[:before] = self._windows
            self._windows = grown
            self._free = list(range(2 * before - 1, before - 1, -1))
        return self._free.pop()

    def _release(self, slot: int) -> None:
        if slot >= 0:
            self._windows[slot] = np.zeros((), CROWD_WINDOWS.dtype)
            self._free.append(slot)

    # ---- what goes out

    def changed(self, now_ts: float) -> list[EdgeCondition | Withdrawn]:
        """What is to be told anew as of the last full minute, by key; nothing before the next begins."""
        step = math.floor(now_ts / STEP_S)
        if step <= self._step:
            return []
        self._step = step
        now = step * STEP_S
        slots, owners = self._all_slots()
        values = self._read(slots, now)
        self._follow_forecasts(dict(zip(owners, values, strict=True)), now)
        enough = values[:, _NAMES.index("walkers_900s")] >= MIN_WALKERS
        there: dict[str, dict[str, Any]] = {}
        for at in np.flatnonzero(enough).tolist():
            name, key = owners[at]
            features = _features(values[at], key != name)
            if key == name:
                features |= self._forecasts.features(name, "walkers_at_once", 2)
            there[key] = features
        return self._tell(owners, there, now)

    def _tell(
        self, owners: Sequence[tuple[str, str]], there: dict[str, dict[str, Any]], now: float
    ) -> list[EdgeCondition | Withdrawn]:
        cell_of = {key: name for name, key in owners}
        for name, cell in self._cells.items():
            cell_of |= dict.fromkeys(cell.told, name)
        found: list[EdgeCondition | Withdrawn] = []
        for key, name in sorted(cell_of.items()):
            told = self._cells[name].told
            expires, before = told.get(key, (0.0, None))
            features = there.get(key)
            if features is None:
                if before is not None:
                    found.append(Withdrawn(CROWD_PREFIX + key))
                    del told[key]
                    self._dirty.add(name)
            elif features != before or expires < now + REFRESH_S or key in self._restored:
                told[key] = (now + EXPIRE_S, features)
                found.append(
                    EdgeCondition(
                        key=CROWD_PREFIX + key, ts=now, version=self._step, expires=now + EXPIRE_S, **features
                    )
                )
                self._dirty.add(name)
        self._restored.clear()
        self._forget(now)
        return found

    def _all_slots(self) -> tuple[I32, list[tuple[str, str]]]:
        """Slots of all windows, and (cell, key) of each."""
        slots: list[int] = []
        owners: list[tuple[str, str]] = []
        for name, cell in self._cells.items():
            if cell.slot >= 0:
                slots.append(cell.slot)
                owners.append((name, name))
            slots += cell.edges.values()
            owners += [(name, edge) for edge in cell.edges]
        return np.array(slots, np.int32), owners

    def _read(self, slots: I32, now: float) -> F32:
        values = np.empty((len(slots), len(_NAMES)), np.float32)
        read_features(CROWD_WINDOWS, self._windows, slots, np.full(len(slots), now - 0.001), values)
        return values

    def _forget(self, now: float) -> None:
        """Walkers, stretches and cells of whom nothing was heard for long."""
        before = now - FORGET_S
        for name, cell in list(self._cells.items()):
            gone = [walker for walker, ts in cell.seen.items() if ts < before]
            for walker in gone:
                del cell.seen[walker]
            if not cell.seen and cell.slot >= 0:
                self._begin_day(cell, cell.day)
                self._dirty.add(name)
            if not cell.seen and not cell.told and name not in self._forecasts:
                del self._cells[name]
                self._dirty.add(name)

    # ---- forecasts

    def _follow_forecasts(self, values: dict[tuple[str, str], F32], now: float) -> None:
        """Every quarter of an hour they learn how many walkers there are: 0 where they are too few."""
        slot = slot_of(now)
        if slot == self._slot:
            return
        self._slot = slot
        learned = {}
        for name in self._cells:
            read = values.get((name, name))
            enough = read is not None and read[_NAMES.index("walkers_900s")] >= MIN_WALKERS
            if enough or name in self._forecasts:
                learned[name] = _at_once(read) if enough and read is not None else 0.0
                self._dirty.add(name)
        self._forecasts.fold(slot, learned)

    def forecast_errors(self) -> dict[str, float]:
        """Mean error of the forecasts of all cells that are told of, by how far ahead."""
        return self._forecasts.mean_errors(name for name, cell in self._cells.items() if name in cell.told)

    # ---- checkpoints

    def dirty_cells(self) -> set[str]:
        """Cells whose state changed since they were last `saved`; some may be gone, see `pack`."""
        return set(self._dirty)

    def saved(self, names: Iterable[str]) -> None:
        self._dirty.difference_update(names)

    def pack(self, name: str) -> bytes | None:
        """The state of a cell; None if it is forgotten."""
        cell = self._cells.get(name)
        if cell is None:
            return None
        head = {
            "schema": CROWD_WINDOWS.schema,
            "day": cell.day,
            "walkers": list(cell.seen),
            "ends": list(cell.seen.values()),
            "cell": cell.slot >= 0,
            "edges": list(cell.edges),
            "told": [[key, *told] for key, told in sorted(cell.told.items())],
        }
        slots = [slot for slot in (cell.slot, *cell.edges.values()) if slot >= 0]
        text = orjson.dumps(head)
        windows = self._windows[slots].tobytes()
        return b"".join([len(text).to_bytes(4, "little"), text, windows, self._forecasts.pack(name)])

    def load(self, name: str, data: bytes) -> None:
        """Put back what `pack` gave; raises BadRecord for bytes of another form."""
        size = int.from_bytes(data[:4], "little")
        try:
            head = orjson.loads(data[4 : 4 + size])
            count = int(head["cell"]) + len(head["edges"])
            windows = np.frombuffer(data, CROWD_WINDOWS.dtype, count, 4 + size)
            if head["schema"] != CROWD_WINDOWS.schema:
                raise ValueError("its windows have another layout")
            cell = _Cell(head["day"], dict(zip(head["walkers"], head["ends"], strict=True)))
            slots = [self._new_slot() for _ in range(count)]
            self._windows[slots] = windows
            if head["cell"]:
                cell.slot = slots.pop(0)
            cell.edges = dict(zip(head["edges"], slots, strict=True))
            cell.told = {key: (expires, features) for key, expires, features in head["told"]}
            forecast = data[4 + size + windows.nbytes :]
        except (KeyError, TypeError, ValueError) as error:
            raise BadRecord("bad_checkpoint", f"crowd of {name}: {error}") from error
        if forecast:
            self._forecasts.load(name, forecast)
        self._cells[name] = cell
        self.newest_ts = max(self.newest_ts, *head["ends"], 0.0)
        self._restored.update(cell.told)


def _at_once(values: F32) -> float:
    return float(values[_NAMES.index("walker_s_300s")]) / 300.0


def _features(values: F32, stretch: bool) -> dict[str, Any]:
    """Fields of EdgeCondition from the windows of a cell or a stretch with enough walkers."""
    read = dict(zip(_NAMES, values.tolist(), strict=True))
    found: dict[str, Any] = {"walkers_900s": _rounded_down(read["walkers_900s"])}
    if read["walkers_300s"] >= MIN_WALKERS:
        found["walkers_300s"] = _rounded_down(read["walkers_300s"])
        found["walkers_at_once"] = on_grid(_at_once(values))
    if stretch and read["walker_s_900s"] > 0.0:
        found["pace_ratio"] = round(20.0 * read["expected_s_900s"] / read["walker_s_900s"]) / 20.0
    return found


def _rounded_down(walkers: float) -> int:
    return int(walkers) // MIN_WALKERS * MIN_WALKERS


def on_grid(value: float) -> float:
    """The nearest power of 1.15, to three digits: what changes by less is not told anew."""
    if value < 0.05:
        return 0.0
    return float(f"{GRID ** round(math.log(value, GRID)):.3g}")
