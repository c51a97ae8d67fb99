"""The picture of throughput by block size: one dot a size, placed by powers of ten."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from bench.block_sizes import SizeFigure
from bench.throughput_plot import draw_throughput


def test_sizes_and_rates_stand_where_their_powers_of_ten_are() -> None:
    figures = [SizeFigure(100, 100_000.0), SizeFigure(1, 1_000.0), SizeFigure(10, 10_000.0)]
    svg = draw_throughput(figures)
    ElementTree.fromstring(svg)
    dots = [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)]
    assert dots == [(96.0, 350.0), (353.0, 217.0), (610.0, 84.0)]
    assert all(label in svg for label in (">1.0k<", ">10k<", ">100k<"))
    assert draw_throughput(figures[::-1]) == svg


def test_one_size_is_a_picture_too() -> None:
    ElementTree.fromstring(draw_throughput([SizeFigure(1, 1_000.0)]))
