import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import BadInput
from geo.polyline import decode6, encode6

POINTS = st.lists(st.tuples(st.floats(-90, 90), st.floats(-180, 180)), max_size=30)


def naive_encode6(points: list[tuple[float, float]]) -> str:
    """Step by step as in Google's description, on strings of bits."""
    text, before = "", (0, 0)
    for point in points:
        now = (round(point[0] * 1e6), round(point[1] * 1e6))
        for a, b in zip(before, now, strict=True):
            step = b - a
            bits = bin(2 * step if step >= 0 else ~(2 * step))[2:]
            bits = bits.zfill(-(-len(bits) // 5) * 5)
            groups = [int(bits[i : i + 5], 2) for i in range(0, len(bits), 5)][::-1]
            text += "".join(chr(g + 63 + (32 if i + 1 < len(groups) else 0)) for i, g in enumerate(groups))
        before = now
    return text


def test_the_example_everybody_pins() -> None:
    lat, lon = [38.5, 40.7, 43.252], [-120.2, -120.95, -126.453]
    text = r"_izlhA~rlgdF_{geC~ywl@_kwzCn`{nI"
    assert encode6(lat, lon) == text
    back = decode6(text)
    assert np.allclose(back, (lat, lon), atol=1e-9)


@given(POINTS)
@settings(deadline=None)
def test_encoding_is_the_naive_one_and_decodes_to_the_same_places(points: list[tuple[float, float]]) -> None:
    lat, lon = [p[0] for p in points], [p[1] for p in points]
    text = encode6(lat, lon)
    assert text == naive_encode6(points)
    back_lat, back_lon = decode6(text)
    assert np.allclose(back_lat, lat, atol=5.1e-7)
    assert np.allclose(back_lon, lon, atol=5.1e-7)
    assert encode6(back_lat, back_lon) == text


@pytest.mark.parametrize("text", ["_", "_p~iF", "not a polyline", "é", "_p~iF~ps|", "~~~~~~~~~~~~~~~~~~~~?"])
def test_what_is_not_a_polyline_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="not a polyline"):
        decode6(text)


@given(st.text(max_size=40))
@settings(deadline=None)
def test_any_text_is_decoded_or_refused(text: str) -> None:
    try:
        lat, lon = decode6(text)
    except BadInput:
        return
    assert len(lat) == len(lon)


@pytest.mark.parametrize(
    ("lat", "lon"),
    [([1.0], [1.0, 2.0]), ([91.0], [0.0]), ([0.0], [float("nan")]), ([[1.0]], [[1.0]])],
)
def test_what_is_no_place_is_refused(lat: list[float], lon: list[float]) -> None:
    with pytest.raises(BadInput, match="polyline needs"):
        encode6(lat, lon)
