"""Honest walking time: reference pace, slope, surface, stairs. Taste never bends it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from geo.graph import F64

REFERENCE_MPS = 1.35  # on a flat, paved way
FERRY_MPS = 2.8  # 10 km/h, where the ferry's timetable is not tagged
STEPS_FACTOR = 2.0  # Fujiyama & Tyler 2010: stairs are walked at about half the level speed
MAX_SLOPE = 0.4  # steeper is a slip of the mapper, or stairs

# how much longer a stretch takes than on pavement
SURFACE_FACTORS = {
    "cobblestone": 1.05, "unhewn_cobblestone": 1.1, "gravel": 1.1, "pebblestone": 1.15, "grass": 1.1,
    "ground": 1.05, "dirt": 1.05, "earth": 1.05, "mud": 1.4, "sand": 1.5, "rock": 1.3, "woodchips": 1.1,
    "snow": 1.4, "ice": 1.4,
}  # fmt: skip


def tobler_factor(slope: ArrayLike) -> F64:
    """How much longer a metre takes on `slope` (rise over run, negative downhill) than on the flat.

    Tobler, "Three presentations on geographical analysis and modeling", NCGIA report 93-1 (1993):
    speed = 6 km/h × exp(-3.5 |slope + 0.05|).
    """
    clamped = np.clip(np.asarray(slope, np.float64), -MAX_SLOPE, MAX_SLOPE)
    factor: F64 = np.exp(3.5 * (np.abs(clamped + 0.05) - 0.05))
    return factor


def tagged_slope(tags: Mapping[str, str]) -> float:
    """Rise over run along the way that `incline` gives in per cent or degrees; 0 where it gives neither."""
    text = tags.get("incline", "").strip()
    try:
        if text.endswith("%"):
            slope = float(text[:-1].replace(",", ".")) / 100
        elif text.endswith("°"):
            slope = math.tan(math.radians(float(text[:-1].replace(",", "."))))
        else:
            return 0.0
    except ValueError:
        return 0.0
    return slope if abs(slope) <= MAX_SLOPE else 0.0


def walking_s(length_m: float, tags: Mapping[str, str], road_class: str, climb: float = 1.0) -> float:
    """Seconds that a stretch of a way with these tags takes; `climb`: its mean `tobler_factor`."""
    if road_class == "ferry":
        return length_m / FERRY_MPS
    if road_class in ("steps", "escalator"):
        return length_m / REFERENCE_MPS * STEPS_FACTOR  # the slope of stairs is in their factor
    return length_m / REFERENCE_MPS * SURFACE_FACTORS.get(tags.get("surface", ""), 1.0) * climb
