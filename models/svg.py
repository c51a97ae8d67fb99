"""The few marks that pictures are made of, as SVG text: words, numbered badges, crosses and lines."""

from __future__ import annotations

import math
from xml.sax.saxutils import escape

from geo.graph import F64

INK, RED = "#222222", "#d00000"
FONT = "font-family=\"-apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif\""
# XML has no way to write these, but a message may hold them
_UNWRITABLE = dict.fromkeys([*range(0x20), 0xFFFE, 0xFFFF], " ")


def cross(x: float, y: float) -> str:
    """A red cross in a circle of 9 px, to be drawn where `fill` is none."""
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="9" fill="#ffffff" stroke="{RED}" stroke-width="2"/>'
        f'<path d="M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8" stroke="{RED}" stroke-width="2.6"/>'
    )


def badge(x: float, y: float, number: str, colour: str) -> str:
    """A number on a coloured pill 20 px high and twice `half_width` wide, its middle at x, y."""
    half = half_width(number)
    return (
        f'<rect x="{x - half:.1f}" y="{y - 10:.1f}" width="{2 * half:.1f}" height="20" rx="10" '
        f'fill="{colour}" stroke="#ffffff" stroke-width="1.5"/>'
        + text(x, y + 4.5, number, size=13, weight="bold", fill="#ffffff", anchor="middle")
    )


def half_width(number: str) -> float:
    """Half the width of a `badge` in px."""
    return max(10.0, 5.0 + 4.4 * len(number))


def text(
    x: float, y: float, words: str, *, size: int = 14, fill: str = INK, weight: str = "", anchor: str = "",
    halo: bool = False,
) -> str:  # fmt: skip
    """Words with their baseline at x, y; `halo` puts white around them so that lines may pass beneath."""
    more = f' font-weight="{weight}"' if weight else ""
    more += f' text-anchor="{anchor}"' if anchor else ""
    under = ' stroke="#ffffff" stroke-width="4" paint-order="stroke"' if halo else ' stroke="none"'
    start = f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}"{under}{more}>'
    return f"{start}{plain(words)}</text>"


def plain(words: str) -> str:
    """Words as they may stand in XML."""
    return escape(words.translate(_UNWRITABLE))


def path_data(x: F64, y: F64) -> str:
    """The data of a path through (n,) pixels, n >= 1; points closer than half a pixel are left out."""
    out = [f"M{x[0]:.1f} {y[0]:.1f}"]
    last = float(x[0]), float(y[0])
    for i in range(1, len(x)):
        here = float(x[i]), float(y[i])
        if i == len(x) - 1 or math.dist(here, last) >= 0.5:
            out.append(f"L{here[0]:.1f} {here[1]:.1f}")
            last = here
    return "".join(out)
