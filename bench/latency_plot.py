"""Draws how long a fix takes to become an update as the load grows, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geo.graph import F64
from models.svg import FONT, INK, path_data, plain, text

WIDTH, HEIGHT = 640, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 600, 84, 332
_CURVES = (("median", "#0072b2"), ("99th percentile", "#d97a00"))
_GREY = "#666666"
_TITLE = "From a fix to the route update that it caused"
_SUBTITLE = "fixes a second are sent to one worker; broker and everything else on the same machine"
_TICKS = (1, 2, 5)


@dataclass(frozen=True)
class Load:
    """What was measured at one rate."""

    rate_per_s: float
    p50_ms: float
    p99_ms: float


def draw_latencies(loads: Sequence[Load]) -> str:
    """The SVG of two curves over the rate, both axes logarithmic; at least one load, rates that differ."""
    ordered = sorted(loads, key=lambda load: load.rate_per_s)
    rates = np.array([load.rate_per_s for load in ordered])
    curves = (np.array([load.p50_ms for load in ordered]), np.array([load.p99_ms for load in ordered]))
    low_ms, high_ms = _around(np.concatenate(curves))
    low_rate, high_rate = _around(rates)

    def x(rate: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * float(np.log(rate / low_rate) / np.log(high_rate / low_rate))

    def y(ms: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * float(np.log(ms / low_ms) / np.log(high_ms / low_ms))

    marks = [f'<path d="M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}" fill="none" stroke="{INK}"/>']
    for rate in _ticks(low_rate, high_rate):
        marks.append(text(x(rate), _BOTTOM + 18, f"{rate:,.0f}", size=12, anchor="middle", fill=_GREY))
    for ms in _ticks(low_ms, high_ms):
        marks.append(f'<path d="M{_LEFT} {y(ms):.1f}H{_RIGHT}" stroke="#dddddd"/>')
        marks.append(text(_LEFT - 8, y(ms) + 4, f"{ms:g} ms", size=12, anchor="end", fill=_GREY))
    marks.append(
        text((_LEFT + _RIGHT) / 2, _BOTTOM + 38, "fixes a second", size=13, anchor="middle", fill=_GREY)
    )
    for number, ((name, colour), values) in enumerate(zip(_CURVES, curves, strict=True)):
        across = np.array([x(rate) for rate in rates.tolist()])
        upwards = np.array([y(ms) for ms in values.tolist()])
        line = path_data(across, upwards)
        marks.append(f'<path d="{line}" fill="none" stroke="{colour}" stroke-width="2.4"/>')
        marks += [
            f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{colour}"/>'
            for a, b in zip(across.tolist(), upwards.tolist(), strict=True)
        ]
        marks.append(text(_LEFT + 12 + 90 * number, _TOP - 12, name, size=13, fill=colour, weight="bold"))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
            f'height="{HEIGHT}" role="img" {FONT}>',
            f"<title>{plain(_TITLE)}: {plain(_SUBTITLE)}</title>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            text(14, 28, _TITLE, size=18, weight="bold"),
            text(14, 49, _SUBTITLE, fill=_GREY, size=13),
            *marks,
            "</svg>\n",
        ]
    )


def _around(values: F64) -> tuple[float, float]:
    """Bounds with some room, for a logarithmic axis."""
    return float(values.min()) / 1.3, float(values.max()) * 1.3


def _ticks(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, 20 ... between the bounds."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [float(first * 10.0**power) for power in powers for first in _TICKS]
    return [tick for tick in ticks if low <= tick <= high]
