"""Draws a dashboard as SVG from its own queries, as Grafana would show it: for documents, without Grafana."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from models.svg import FONT, INK, path_data, plain, text
from streams.telemetry.dashboards.queries import (
    PanelRead,
    Target,
    choices,
    everything,
    filled,
    named,
    panels_of,
)
from streams.telemetry.prometheus import Prometheus, Series

COLUMN_PX, ROW_PX, GAP_PX = 50, 26, 8  # of Grafana's grid
TOP_PX = 64
POINTS = 120
MOST_NAMED = 8  # series in a legend
GREY, PALE = "#666666", "#e4e4e4"
# told apart by people who see few colours (Okabe and Ito, 2008, "Color universal design")
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999933", "#555555")
_LIMITS = {"green": "#2e7d32", "yellow": "#b58900", "red": "#c62828", "blue": "#0072b2", "purple": "#7b3294"}
_SCALES = ("", "k", "M", "G", "T")

Named = list[tuple[str, Series]]


def _here(name: str) -> str:
    """Folders as they are called from here: a picture is for others, elsewhere."""
    return name.replace(f"{Path.cwd()}{os.sep}", "")


def draw_dashboard(board: Mapping[str, Any], prometheus: Prometheus, seconds: float) -> str:
    """The SVG of a dashboard with all that Prometheus knows of the last `seconds`.

    Raises Unavailable if Prometheus does not answer, BadInput if it refuses a query.
    """
    end_s = time.time()
    step_s = max(1.0, seconds / POINTS)
    values = everything(board, partial(choices, prometheus), rate=f"{max(20, round(4 * step_s))}s")

    def ask(target: Target) -> Named:
        expr = filled(target.expr, values)
        found = (
            prometheus.now(expr, end_s)
            if target.instant
            else prometheus.over(expr, end_s - seconds, end_s, step_s)
        )
        return [(_here(named(target.legend, one.labels)), one) for one in found if _is_known(one)]

    panels = list(panels_of(board))
    width = 24 * COLUMN_PX + 2 * GAP_PX
    height = TOP_PX + max(panel.y + panel.height for panel in panels) * ROW_PX + GAP_PX
    marks = [mark for panel in panels for mark in _panel(panel, ask, (end_s - seconds, end_s))]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" {FONT}>',
            f"<title>{plain(board['title'])}</title>",
            f'<rect width="{width}" height="{height}" fill="#f4f5f5"/>',
            text(16, 28, board["title"], size=20, weight="bold"),
            text(16, 50, f"the last {seconds / 60.0:g} min", size=13, fill=GREY),
            *marks,
            "</svg>\n",
        ]
    )


class _Frame:
    """The inside of a panel: where marks go, in px."""

    def __init__(self, panel: PanelRead) -> None:
        self.left = GAP_PX + panel.x * COLUMN_PX + 10
        self.top = TOP_PX + panel.y * ROW_PX + 34
        self.right = GAP_PX + (panel.x + panel.width) * COLUMN_PX - 18
        self.bottom = TOP_PX + (panel.y + panel.height) * ROW_PX - 16


def _panel(panel: PanelRead, ask: Callable[[Target], Named], span: tuple[float, float]) -> list[str]:
    x, y = GAP_PX + panel.x * COLUMN_PX, TOP_PX + panel.y * ROW_PX
    if panel.kind == "row":
        return [text(x + 4, y + 18, panel.title, size=15, weight="bold", fill=GREY)]
    width, height = panel.width * COLUMN_PX - GAP_PX, panel.height * ROW_PX - GAP_PX
    size = 13 if len(panel.title) * 7.6 < width - 20 else 11
    marks = [
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="3" fill="#ffffff" stroke="{PALE}"/>',
        text(x + 10, y + 20, panel.title, size=size, weight="bold"),
    ]
    found = [ask(target) for target in panel.targets]
    frame = _Frame(panel)
    if not any(found):
        return [*marks, text((frame.left + frame.right) / 2, (frame.top + frame.bottom) / 2, "nothing yet",
                             size=12, anchor="middle", fill=GREY)]  # fmt: skip
    if panel.kind == "stat":
        return [*marks, *_number(panel, frame, found[0][0][1])]
    if panel.kind == "bargauge":
        return [*marks, *_bars(panel, frame, [one for some in found for one in some])]
    if panel.kind == "table":
        return [*marks, *_table(panel, frame, found)]
    if panel.kind == "geomap":
        return [*marks, *_map(frame, found)]
    return [*marks, *_lines(panel, frame, [one for some in found for one in some], span)]


def _number(panel: PanelRead, frame: _Frame, series: Series) -> list[str]:
    value = series.last
    middle, base = (frame.left + frame.right) / 2, (frame.top + frame.bottom) / 2 + 14
    return [
        text(middle, base, _told(value, panel.unit), size=32, weight="bold", anchor="middle",
             fill=_colour(panel, value))
    ]  # fmt: skip


def _bars(panel: PanelRead, frame: _Frame, found: Named) -> list[str]:
    most = max(one.last for _, one in found) or 1.0
    step = min(30.0, (frame.bottom - frame.top) / len(found))
    begin, end = frame.left + 150, frame.right - 70
    marks = []
    for i, (name, one) in enumerate(sorted(found, key=lambda pair: -pair[1].last)):
        y = frame.top + i * step
        colour = _colour(panel, one.last)
        length = (end - begin) * max(0.0, one.last) / most
        size = f'width="{length:.1f}" height="{step - 6:.1f}"'
        marks += [
            text(begin - 8, y + step / 2 + 4, name, size=12, anchor="end"),
            f'<rect x="{begin}" y="{y + 2:.1f}" {size} fill="{colour}"/>',
            text(begin + length + 6, y + step / 2 + 4, _told(one.last, panel.unit), size=12),
        ]
    return marks


def _table(panel: PanelRead, frame: _Frame, found: Sequence[Named]) -> list[str]:
    keys = sorted({tuple(sorted(one.labels.items())) for some in found for _, one in some})
    titles = [override["matcher"]["options"] for override in panel.raw["fieldConfig"]["overrides"]]
    units = [override["properties"][0]["value"] for override in panel.raw["fieldConfig"]["overrides"]]
    values = [{tuple(sorted(one.labels.items())): one.last for _, one in some} for some in found]
    fits = int((frame.bottom - frame.top) / 18) - 1
    across = 3 if len(keys) > fits else 1
    marks, width = [], (frame.right - frame.left) / across
    for i, key in enumerate(keys[: across * fits]):
        x, y = frame.left + (i // fits) * width, frame.top + 26 + (i % fits) * 18
        if i % fits == 0:
            marks += [text(x + width - 90 * (len(titles) - j), frame.top + 6, title, size=11, fill=GREY,
                           anchor="end") for j, title in enumerate(titles)]  # fmt: skip
        marks.append(text(x, y, " ".join(value for _, value in key), size=11))
        for j, (column, unit) in enumerate(zip(values, units, strict=True)):
            told = _told(column[key], unit) if key in column else "–"
            marks.append(text(x + width - 90 * (len(titles) - j), y, told, size=11, anchor="end"))
    return marks


def _map(frame: _Frame, found: Sequence[Named]) -> list[str]:
    """Dots where they lie to each other; there is no base map in a picture."""
    dots = [
        (float(one.labels["lon"]), float(one.labels["lat"]), one, layer)
        for layer, some in enumerate(found)
        for _, one in some
    ]
    lon, lat = (np.array(column) for column in list(zip(*dots, strict=True))[:2])
    shrink = math.cos(math.radians(float(lat.mean())))
    spread = max(float(np.ptp(lon)) * shrink / (frame.right - frame.left - 80),
                 float(np.ptp(lat)) / (frame.bottom - frame.top - 60), 1e-6)  # fmt: skip
    marks = []
    for x, y, one, layer in dots:
        px = (frame.left + frame.right) / 2 + (x - (lon.max() + lon.min()) / 2) * shrink / spread
        py = (frame.top + frame.bottom) / 2 - (y - (lat.max() + lat.min()) / 2) / spread
        if layer == 0:
            marks += [
                f'<circle cx="{px:.1f}" cy="{py:.1f}" r="16" fill="{_red_to_green(one.last)}"'
                ' fill-opacity="0.6"/>',
                text(px, py + 4, f"{100 * one.last:.0f} %", size=11, anchor="middle", halo=True),
            ]
        else:
            name = f"{one.labels.get('city', '')}: {one.last:g} walkers"
            marks += [
                f'<circle cx="{px:.1f}" cy="{py:.1f}" r="6" fill="#0072b2"/>',
                text(px, py - 22, name, size=12, anchor="middle", weight="bold", halo=True),
            ]
    return marks


def _lines(panel: PanelRead, frame: _Frame, found: Named, span: tuple[float, float]) -> list[str]:
    found = sorted(found, key=lambda pair: -_area(pair[1]))
    named_rows = min(len(found), MOST_NAMED)
    right = frame.right - (140 if named_rows > 1 or found[0][0] else 0)
    left, bottom = frame.left + 48, frame.bottom - 14
    begin_s, end_s = span
    curves = [np.array(one.points).T for _, one in found]
    if panel.stacked:
        curves = _stacked(curves)
    tops = [float(np.nanmax(values)) for _, values in curves if np.isfinite(values).any()]
    limits = [value for value, _ in panel.steps if value]
    most = max([*tops, 0.0]) or 1.0
    most = max([most, *(value for value in limits if value <= 3.0 * most)]) * 1.08
    marks = []
    for share in (0.0, 0.5, 1.0):
        y = bottom - (bottom - frame.top) * share
        marks.append(f'<path d="M{left} {y:.1f}H{right}" stroke="{PALE}"/>')
        marks.append(text(left - 6, y + 4, _told(share * most, panel.unit), size=10, anchor="end", fill=GREY))
    for at_s in (begin_s, end_s):
        x = left + (right - left) * (at_s - begin_s) / (end_s - begin_s)
        told = time.strftime("%H:%M:%S", time.gmtime(at_s))
        anchor = "start" if at_s == begin_s else "end"
        marks.append(text(x, bottom + 14, told, size=10, anchor=anchor, fill=GREY))
    for i in reversed(range(len(found))):
        ts, values = curves[i]
        known = np.isfinite(values)
        if not known.any():
            continue
        x = left + (right - left) * (ts[known] - begin_s) / (end_s - begin_s)
        y = bottom - (bottom - frame.top) * np.clip(values[known] / most, 0.0, 1.0)
        colour = COLOURS[i % len(COLOURS)]
        data = path_data(x, y)
        if panel.stacked:
            area = f"{data}L{x[-1]:.1f} {bottom:.1f}L{x[0]:.1f} {bottom:.1f}Z"
            marks.append(f'<path d="{area}" fill="{colour}" fill-opacity="0.35"/>')
        marks.append(f'<path d="{data}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
    for value, name in panel.steps:
        if value and value <= most and name != "green":
            y = bottom - (bottom - frame.top) * value / most
            marks.append(
                f'<path d="M{left} {y:.1f}H{right}" stroke="{_LIMITS[name]}" stroke-dasharray="5 4"/>'
            )
    for i, (name, _) in enumerate(found[:MOST_NAMED]):
        if name:
            y = frame.top + 4 + i * 16
            short = name if len(name) <= 22 else name[:21] + "…"
            marks.append(
                f'<path d="M{right + 8} {y - 4}h12" stroke="{COLOURS[i % len(COLOURS)]}" stroke-width="3"/>'
            )
            marks.append(text(right + 24, y, short, size=10))
    if len(found) > MOST_NAMED:
        more = f"and {len(found) - MOST_NAMED} more"
        marks.append(text(right + 24, frame.top + 4 + MOST_NAMED * 16, more, size=10, fill=GREY))
    return marks


def _stacked(curves: Sequence[Any]) -> list[Any]:
    """Each curve on top of those after it, on the moments that any of them has."""
    moments = np.unique(np.concatenate([ts for ts, _ in curves]))
    on = []
    for ts, values in curves:
        here = np.zeros(len(moments))
        here[np.searchsorted(moments, ts)] = np.nan_to_num(values)
        on.append(here)
    return [np.array([moments, sum(on[i:])]) for i in range(len(on))]


def _is_known(series: Series) -> bool:
    return any(math.isfinite(value) for _, value in series.points)


def _area(series: Series) -> float:
    return math.fsum(value for _, value in series.points if math.isfinite(value))


def _colour(panel: PanelRead, value: float) -> str:
    """That of the highest step which the value reaches."""
    reached = [name for step, name in panel.steps if step is None or value >= step]
    return _LIMITS.get(reached[-1], INK) if reached else INK


def _red_to_green(share: float) -> str:
    return f"hsl({120.0 * min(1.0, max(0.0, share)):.0f},70%,45%)"


def _told(value: float, unit: str) -> str:
    """A value as people read it."""
    if not math.isfinite(value):
        return "–"
    if unit == "percentunit":
        return f"{100.0 * value:.3g} %"
    if unit == "s":
        if value and abs(value) < 0.001:
            return f"{1e6 * value:.3g} µs"
        if abs(value) < 1.0:
            return f"{1000.0 * value:.3g} ms"
        return f"{value:.3g} s" if value < 600.0 else f"{value / 60.0:.3g} min"
    power, shown = 0, abs(value)
    while shown >= 1000.0 and power < len(_SCALES) - 1:
        power, shown = power + 1, shown / 1000.0
    told = f"{math.copysign(shown, value):.3g}" if shown else "0"
    suffix = {"bytes": "B", "Bps": "B/s", "lengthm": " m"}.get(unit, "")
    per_s = "/s" if unit in ("mps", "cps", "ops", "reqps") else ""
    return f"{told}{_SCALES[power]}{suffix}{per_s}"
