"""Distances, bearings and the flat local plane, on the sphere of the Earth's mean radius.

Walks are a few kilometres long: the sphere is off by at most 0.3 % against the ellipsoid, and the
local equirectangular plane by less than 0.01 % within 5 km of its origin below 65 degrees. Kernels
keep their own copy of these two-line formulas (numba's cache does not see changes in other files).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from geo.graph import F64

EARTH_RADIUS_M = 6_371_008.8  # mean radius (2a + b) / 3 of WGS 84
METRES_PER_DEG = math.pi * EARTH_RADIUS_M / 180.0  # of latitude


def haversine_m(lat1: ArrayLike, lon1: ArrayLike, lat2: ArrayLike, lon2: ArrayLike) -> F64:
    """Great-circle distances in metres between points in degrees; shapes broadcast.

    Sinnott, "Virtues of the Haversine", Sky and Telescope 68 (1984).
    """
    phi1, phi2 = np.radians(np.asarray(lat1, np.float64)), np.radians(np.asarray(lat2, np.float64))
    half_dlon = np.radians(np.asarray(lon2, np.float64) - np.asarray(lon1, np.float64)) / 2
    a = np.sin((phi2 - phi1) / 2) ** 2 + np.cos(phi1) * np.cos(phi2) * np.sin(half_dlon) ** 2
    distance: F64 = 2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.minimum(a, 1.0)))
    return distance


def bearing_deg(lat1: ArrayLike, lon1: ArrayLike, lat2: ArrayLike, lon2: ArrayLike) -> F64:
    """Initial bearings from the first points to the second, degrees clockwise from north, 0..360."""
    phi1, phi2 = np.radians(np.asarray(lat1, np.float64)), np.radians(np.asarray(lat2, np.float64))
    dlon = np.radians(np.asarray(lon2, np.float64) - np.asarray(lon1, np.float64))
    y = np.sin(dlon) * np.cos(phi2)
    x = np.cos(phi1) * np.sin(phi2) - np.sin(phi1) * np.cos(phi2) * np.cos(dlon)
    # the second remainder: -1e-17 % 360 is 360.0 in floating point
    bearing: F64 = np.degrees(np.arctan2(y, x)) % 360.0 % 360.0
    return bearing


def to_local(lat: ArrayLike, lon: ArrayLike, lat0: float, lon0: float) -> tuple[F64, F64]:
    """Metres east (x) and north (y) of the origin `lat0, lon0` in the equirectangular plane there."""
    x: F64 = (np.asarray(lon, np.float64) - lon0) * (METRES_PER_DEG * math.cos(math.radians(lat0)))
    y: F64 = (np.asarray(lat, np.float64) - lat0) * METRES_PER_DEG
    return x, y


def from_local(x: ArrayLike, y: ArrayLike, lat0: float, lon0: float) -> tuple[F64, F64]:
    """Latitudes and longitudes of local metres: the inverse of `to_local`."""
    lat: F64 = lat0 + np.asarray(y, np.float64) / METRES_PER_DEG
    lon: F64 = lon0 + np.asarray(x, np.float64) / (METRES_PER_DEG * math.cos(math.radians(lat0)))
    return lat, lon
