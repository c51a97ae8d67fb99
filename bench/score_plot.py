"""Draws what pleasant ways cost and give as the default weights are scaled: the trade-off curve, as SVG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bench.score import Change
from models.svg import FONT, INK, path_data, plain, text

WIDTH, HEIGHT = 900, 420
TARGET_LENGTH, TARGET_GAIN = 0.12, 0.25  # at most so much longer, at least so much less noise or more green
_PANEL, _TOP, _BOTTOM = 330, 84, 344
_LEFT = 70, 510  # of the two panels
_LONGEST = 0.20
# told apart also by the colour-blind (after Okabe and Ito)
_COLOURS = ("#0072b2", "#d97a00", "#008a63", "#b4459a", "#6a4c1f", "#5b50c8")
_GREY, _PALE = "#666666", "#e3f1e8"
_TITLE = "What a pleasant way costs and gives"
_SUBTITLE = (
    "against the shortest way between the same random places, 0.5 to 3 km apart, as all default weights "
    "are scaled; ring: as they are"
)


def draw_trade_off(curves: Mapping[str, Sequence[Change]]) -> str:
    """The SVG of one curve a city; the same curves give the same bytes."""
    panels = [
        *_panel(_LEFT[0], "less traffic noise", curves, lambda change: -change.noise, 0.30),
        *_panel(_LEFT[1], "more green", curves, lambda change: change.green, 1.00),
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
            f'height="{HEIGHT}" role="img" {FONT}>',
            f"<title>{plain(_TITLE)}, {plain(_SUBTITLE)}</title>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            text(14, 28, _TITLE, size=18, weight="bold"),
            text(14, 49, _SUBTITLE, fill=_GREY, size=13),
            *panels,
            *_legend(list(curves)),
            "</svg>\n",
        ]
    )


def _panel(
    left: float,
    title: str,
    curves: Mapping[str, Sequence[Change]],
    gain: Callable[[Change], float],
    most: float,
) -> list[str]:
    """One panel: across how much longer the way is, upwards what it gives."""

    def x(length: float) -> float:
        return left + _PANEL * length / _LONGEST

    def y(value: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * value / most

    marks = [
        f'<rect x="{left:.1f}" y="{_TOP}" width="{x(TARGET_LENGTH) - left:.1f}" '
        f'height="{y(TARGET_GAIN) - _TOP:.1f}" fill="{_PALE}"/>',
        text(left + 8, _TOP + 18, "wanted", fill=_GREY, size=12),
        text(left, _TOP - 10, title, weight="bold"),
        f'<path d="M{left} {_TOP}V{_BOTTOM}H{left + _PANEL}" fill="none" stroke="{INK}"/>',
        text(left + _PANEL / 2, _BOTTOM + 34, "longer by", size=13, anchor="middle", fill=_GREY),
    ]
    for share in np.arange(0.0, _LONGEST + 1e-9, 0.04).tolist():
        marks.append(text(x(share), _BOTTOM + 17, f"{share:.0%}", size=12, anchor="middle", fill=_GREY))
    for share in np.linspace(0.0, most, 5 if most == 1.0 else 4).tolist():
        marks.append(text(left - 8, y(share) + 4, f"{share:.0%}", size=12, anchor="end", fill=_GREY))
    for number, changes in enumerate(curves.values()):
        marks += _curve(_COLOURS[number % len(_COLOURS)], changes, gain, x, y, most)
    return marks


def _curve(
    colour: str,
    changes: Sequence[Change],
    gain: Callable[[Change], float],
    x: Callable[[float], float],
    y: Callable[[float], float],
    most: float,
) -> list[str]:
    """From the shortest way on, as far as the panel reaches."""
    shown = [change for change in changes if change.length <= _LONGEST and 0.0 <= gain(change) <= most]
    across = np.array([x(0.0), *(x(change.length) for change in shown)])
    upwards = np.array([y(0.0), *(y(gain(change)) for change in shown)])
    marks = [f'<path d="{path_data(across, upwards)}" fill="none" stroke="{colour}" stroke-width="2.4"/>']
    for change in shown:
        ring = change.scale == 1.0
        marks.append(
            f'<circle cx="{x(change.length):.1f}" cy="{y(gain(change)):.1f}" r="{6 if ring else 3}" '
            f'fill="{"#ffffff" if ring else colour}" stroke="{colour}" stroke-width="2.4"/>'
        )
    return marks


def _legend(names: Sequence[str]) -> list[str]:
    marks, x = [], 14.0
    for number, name in enumerate(names):
        colour = _COLOURS[number % len(_COLOURS)]
        marks.append(f'<path d="M{x:.1f} 404h22" stroke="{colour}" stroke-width="4"/>')
        marks.append(text(x + 28, 408.5, name, size=13))
        x += 28 + 7.6 * len(name) + 18
    return marks
