"""Heights above the sea from tiles of the Shuttle Radar Topography Mission, as .hgt files.

A tile is named by its south-west corner (N60E024.hgt) and holds big-endian 16-bit metres, 1201 (3
arc seconds) or 3601 (1 arc second) rows from north to south, edges included, -32768 where nothing is
known (USGS, "SRTM documentation", 2015). GDAL turns any other model into such tiles
(`gdal_translate -of SRTMHGT`).
"""

from __future__ import annotations

import gzip
import re
import zipfile
import zlib
from pathlib import Path

import numpy as np

from geo.errors import BadGraph
from geo.graph import F64

_NAME = re.compile(r"([NS])(\d\d)([EW])(\d\d\d)\D.*?(\.gz|\.zip)?$", re.IGNORECASE)
_SIZES = (1201, 3601)
_FINE = 3601  # tiles of 30 m are noisy from cell to cell and are smoothed
_VOID = -32768


class ElevationModel:
    """The tiles of one file or folder (.hgt, .hgt.gz, .hgt.zip)."""

    def __init__(self, path: Path) -> None:
        """Raises BadGraph where `path` has no tile."""
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        self._tiles: dict[tuple[int, int], Path] = {}
        for file in files:
            match = _NAME.match(file.name)
            if match and ".hgt" in file.name.lower() and file.is_file():
                south, north_south = int(match[2]), match[1].upper()
                west, east_west = int(match[4]), match[3].upper()
                corner = (south if north_south == "N" else -south), (west if east_west == "E" else -west)
                self._tiles[corner] = file
        if not self._tiles:
            raise BadGraph(
                f"{path} is no elevation model: expected tiles named like N60E024.hgt (.hgt.gz, .hgt.zip)"
            )
        self.used: list[str] = []  # names of the files that heights came from

    def heights(self, lat: F64, lon: F64) -> F64:
        """(K,) metres at places in degrees, between the four samples around each; NaN where unknown."""
        height = np.full(len(lat), np.nan)
        corners = np.stack([np.floor(lat), np.floor(lon)], axis=1).astype(np.int64)
        for corner in np.unique(corners, axis=0).tolist():
            file = self._tiles.get((corner[0], corner[1]))
            if file is not None:
                rows = np.flatnonzero((corners == corner).all(axis=1))
                height[rows] = _between(_read(file), lat[rows] - corner[0], lon[rows] - corner[1])
                if file.name not in self.used:
                    self.used.append(file.name)
        return height


def _read(file: Path) -> F64:
    """The samples of a tile, still as they are in the file."""
    try:
        if file.suffix.lower() == ".gz":
            data = gzip.decompress(file.read_bytes())
        elif file.suffix.lower() == ".zip":
            with zipfile.ZipFile(file) as archive:
                (name,) = (name for name in archive.namelist() if name.lower().endswith(".hgt"))
                data = archive.read(name)
        else:
            data = file.read_bytes()
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise BadGraph(f"cannot read the elevation tile {file}: {error}") from error
    for size in _SIZES:
        if len(data) == 2 * size * size:
            tile: F64 = np.frombuffer(data, ">i2").reshape(size, size)
            return tile
    expected = " or ".join(str(2 * size * size) for size in _SIZES)
    raise BadGraph(f"the elevation tile {file} has {len(data)} bytes, expected {expected}")


def _between(tile: F64, north: F64, east: F64) -> F64:
    """Heights at `north`, `east` degrees (0..1) of a tile's south-west corner."""
    size = len(tile)
    row, column = (1.0 - north) * (size - 1), east * (size - 1)
    top, left = max(int(row.min()) - 1, 0), max(int(column.min()) - 1, 0)
    part = tile[top : int(row.max()) + 3, left : int(column.max()) + 3].astype(np.float64)
    part[part == _VOID] = np.nan
    if size == _FINE:
        part = _smoothed(part)
    row, column = row - top, column - left
    r = np.minimum(row.astype(np.int64), len(part) - 2)
    c = np.minimum(column.astype(np.int64), part.shape[1] - 2)
    down, right = row - r, column - c
    upper = part[r, c] * (1 - right) + part[r, c + 1] * right
    lower = part[r + 1, c] * (1 - right) + part[r + 1, c + 1] * right
    height: F64 = upper * (1 - down) + lower * down
    return height


def _smoothed(part: F64) -> F64:
    """The binomial mean (1 2 1) of rows and of columns; at edges and beside voids of what is there."""
    for _ in range(2):
        around = np.pad(part, ((1, 1), (0, 0)), mode="edge")
        above, below = (np.where(np.isnan(side), part, side) for side in (around[:-2], around[2:]))
        part = ((above + 2 * part + below) / 4).T
    return part
