"""Forecasts of many series by their keys, as fields of EdgeCondition, kept and put back key by key."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from geo.errors import BadRecord
from models.world.forecast import FORECAST_STATE, HORIZONS, SLOT_S, fold_values, read_forecasts

_NAMES = tuple(f"{horizon * SLOT_S / 3600.0:.0f}h" for horizon in HORIZONS)


class ForecastTable:
    """The series of one kind; a series begins with its first value."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._states = np.zeros(64, FORECAST_STATE)

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    @property
    def keys(self) -> list[str]:
        """Keys of all series, sorted."""
        return sorted(self._rows)

    def fold(self, slot: int, values: Mapping[str, float]) -> None:
        """What some series have in a slot; one that knows this slot or a later one already stays as it is."""
        rows = np.array([self._row(key) for key in values], np.int32)
        fold_values(
            self._states, rows, np.full(len(rows), slot, np.int64), np.array([*values.values()], float)
        )

    def features(self, key: str, name: str, digits: int) -> dict[str, Any]:
        """Fields of EdgeCondition for what is foreseen of `name`, where its error is known."""
        found: dict[str, Any] = {}
        if key not in self._rows:
            return found
        for ahead, one in zip(_NAMES, read_forecasts(self._states[self._rows[key]]), strict=False):
            if not math.isnan(one.error):
                found[f"{name}_{ahead}"] = round(one.value, digits)
                found[f"{name}_{ahead}_error"] = round(one.error, digits)
                found[f"{name}_{ahead}_within"] = round(one.high - one.value, digits)
        return found

    def pack(self, key: str) -> bytes:
        """The state of a series; empty if there is none."""
        row = self._rows.get(key)
        return b"" if row is None else self._states[row].tobytes()

    def load(self, key: str, data: bytes) -> None:
        """Put back what `pack` gave; raises BadRecord for bytes of another form."""
        if len(data) != FORECAST_STATE.itemsize:
            raise BadRecord("bad_checkpoint", f"the saved forecast of {key} has {len(data)} bytes")
        self._states[self._row(key)] = np.frombuffer(data, FORECAST_STATE)[0]

    def mean_errors(self, keys: Iterable[str]) -> dict[str, float]:
        """Mean absolute error of the forecasts of some series by how far ahead, where any is known."""
        states = self._states[[self._rows[key] for key in keys if key in self._rows]]
        found = {}
        for h, ahead in enumerate(_NAMES):
            known = states["error"][:, h][states["scored"][:, h] > 0]
            if len(known):
                found[ahead] = float(known.mean())
        return found

    def _row(self, key: str) -> int:
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = len(self._rows)
            if row == len(self._states):
                grown = np.zeros(2 * row, FORECAST_STATE)
                grown[:row] = self._states
                self._states = grown
        return row
