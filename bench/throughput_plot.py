"""Draws how many fixes a core takes by the size of blocks, as SVG; both axes in powers of ten."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bench.block_sizes import SizeFigure
from models.svg import FONT, INK, path_data, plain, text

WIDTH, HEIGHT = 640, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 96, 610, 84, 350
_BLUE, _GREY, _PALE = "#0072b2", "#666666", "#e4e4e4"
_TITLE = "What blocks are for"
_SUBTITLE = "fixes a second and core, by the most messages that a block may have"


def draw_throughput(figures: Sequence[SizeFigure]) -> str:
    """The SVG of the curve; the same figures give the same bytes."""
    ordered = sorted(figures, key=lambda figure: figure.block_messages)
    sizes = np.array([figure.block_messages for figure in ordered], np.float64)
    rates = np.array([figure.fixes_per_core_s for figure in ordered], np.float64)
    last_size = max(1, math.ceil(math.log10(sizes.max())))
    low, high = math.floor(math.log10(rates.min())), math.ceil(math.log10(rates.max()))
    high = max(high, low + 1)
    x = _LEFT + (_RIGHT - _LEFT) * np.log10(sizes) / last_size
    y = _BOTTOM - (_BOTTOM - _TOP) * (np.log10(rates) - low) / (high - low)
    marks = []
    for power in range(last_size + 1):
        at = _LEFT + (_RIGHT - _LEFT) * power / last_size
        marks.append(text(at, _BOTTOM + 20, f"{10**power:,}", size=12, anchor="middle", fill=_GREY))
    for power in range(low, high + 1):
        at = _BOTTOM - (_BOTTOM - _TOP) * (power - low) / (high - low)
        marks.append(f'<path d="M{_LEFT} {at:.1f}H{_RIGHT}" stroke="{_PALE}"/>')
        marks.append(text(_LEFT - 8, at + 4, f"{10**power:,}", size=12, anchor="end", fill=_GREY))
    marks.append(f'<path d="M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}" fill="none" stroke="{INK}"/>')
    marks.append(f'<path d="{path_data(x, y)}" fill="none" stroke="{_BLUE}" stroke-width="2.4"/>')
    for at_x, at_y, rate in zip(x.tolist(), y.tolist(), rates.tolist(), strict=True):
        marks.append(f'<circle cx="{at_x:.1f}" cy="{at_y:.1f}" r="3.5" fill="{_BLUE}"/>')
        marks.append(text(at_x, at_y - 9, _short(rate), size=12, anchor="middle", halo=True))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
            f'height="{HEIGHT}" role="img" {FONT}>',
            f"<title>{plain(_TITLE)}: {plain(_SUBTITLE)}</title>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            text(14, 28, _TITLE, size=18, weight="bold"),
            text(14, 49, _SUBTITLE, fill=_GREY, size=13),
            *marks,
            text(
                (_LEFT + _RIGHT) / 2, _BOTTOM + 44, "messages a block", size=13, anchor="middle", fill=_GREY
            ),
            "</svg>\n",
        ]
    )


def _short(rate: float) -> str:
    return f"{rate / 1000:.0f}k" if rate >= 10_000 else f"{rate / 1000:.1f}k"
