"""The plot of latency against load."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from bench.latency import parse_rates
from bench.latency_plot import Load, draw_latencies
from geo.errors import BadInput

LOADS = [Load(5_000.0, 22.0, 70.0), Load(1_000.0, 12.0, 40.0), Load(20_000.0, 45.0, 150.0)]


def test_two_curves_that_rise_to_the_right() -> None:
    root = ET.fromstring(draw_latencies(LOADS))
    dots = [
        (dot.get("fill"), float(dot.get("cx", "")), float(dot.get("cy", "")))
        for dot in root.iter("{http://www.w3.org/2000/svg}circle")
    ]
    assert len(dots) == 2 * len(LOADS)
    for colour in {dot[0] for dot in dots}:
        across, upwards = zip(*((x, y) for own, x, y in dots if own == colour), strict=True)
        assert list(across) == sorted(across)
        assert list(upwards) == sorted(upwards, reverse=True)
    assert draw_latencies(LOADS) == draw_latencies(LOADS[::-1])


def test_one_load_is_drawn_too() -> None:
    ET.fromstring(draw_latencies(LOADS[:1]))


@pytest.mark.parametrize("text", ["", "1000,", "many", "1000,1000"])
def test_rates_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="the rates are"):
        parse_rates(text)
