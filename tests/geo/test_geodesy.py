import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.geodesy import EARTH_RADIUS_M, METRES_PER_DEG, bearing_deg, from_local, haversine_m, to_local

LAT, LON = st.floats(-89, 89), st.floats(-180, 180)


def naive_distance_m(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Angle between two vectors from the Earth's centre, by atan2 of cross and dot product."""

    def vector(lat: float, lon: float) -> tuple[float, float, float]:
        phi, lam = math.radians(lat), math.radians(lon)
        return math.cos(phi) * math.cos(lam), math.cos(phi) * math.sin(lam), math.sin(phi)

    a, b = vector(lat1, lon1), vector(lat2, lon2)
    cross = (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    return EARTH_RADIUS_M * math.atan2(math.hypot(*cross), sum(x * y for x, y in zip(a, b, strict=True)))


def test_a_quarter_of_the_meridian_and_one_degree() -> None:
    assert haversine_m(0, 0, 90, 0) == pytest.approx(EARTH_RADIUS_M * math.pi / 2)
    assert haversine_m(59, 24, 60, 24) == pytest.approx(METRES_PER_DEG)
    assert haversine_m(60, 24, 60, 24) == 0


@given(LAT, LON, LAT, LON)
@settings(deadline=None)
def test_haversine_is_the_angle_between_vectors(lat1: float, lon1: float, lat2: float, lon2: float) -> None:
    expected = naive_distance_m(lat1, lon1, lat2, lon2)
    # haversine loses digits towards the antipode; walks are never that long
    assert haversine_m(lat1, lon1, lat2, lon2) == pytest.approx(expected, rel=1e-6, abs=0.5)


@pytest.mark.parametrize(("dlat", "dlon", "bearing"), [(1, 0, 0), (0, 1, 90), (-1, 0, 180), (0, -1, 270)])
def test_bearings_of_the_four_directions(dlat: float, dlon: float, bearing: float) -> None:
    assert bearing_deg(0, 0, dlat, dlon) == pytest.approx(bearing)


@given(LAT, LON, LAT, LON)
@settings(deadline=None)
def test_bearings_are_in_0_to_360(lat1: float, lon1: float, lat2: float, lon2: float) -> None:
    assert 0 <= bearing_deg(lat1, lon1, lat2, lon2) < 360


@given(st.floats(-65, 65), LON, st.floats(-5000, 5000), st.floats(-5000, 5000))
@settings(deadline=None)
def test_the_local_plane_agrees_with_the_sphere(lat0: float, lon0: float, x: float, y: float) -> None:
    lat, lon = from_local(x, y, lat0, lon0)
    back = to_local(lat, lon, lat0, lon0)
    assert np.allclose(back, (x, y), atol=1e-5)
    # the error grows with the way north or south that an eastward metre is off by
    assert haversine_m(lat0, lon0, lat, lon) == pytest.approx(math.hypot(x, y), rel=2e-3, abs=0.01)
