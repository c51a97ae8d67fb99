"""Reads tiles out of the archives that lie in the graphs' directories."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pmtiles.reader import MmapSource, Reader
from pmtiles.tile import deserialize_directory, find_tile, zxy_to_tileid
from vt2pbf import parse_from_string

from geo.errors import BadGraph
from geo.osm.basemap.archive import TILES
from geo.osm.basemap.schema import MAX_ZOOM, MIN_ZOOM


class Tile(NamedTuple):
    """A gzipped vector tile."""

    data: bytes
    etag: str


class Archive:
    """One city's map.pmtiles, memory-mapped; raises BadGraph for one that cannot be read."""

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                self._get_bytes = MmapSource(file)
            self._reader = Reader(self._get_bytes)
            self._header = self._reader.header()
            self.metadata: dict[str, Any] = self._reader.metadata()
        except Exception as error:  # the library's own errors are of all kinds
            raise BadGraph(f"{path} is not a map archive ({error}); import the graph again") from error
        self._directory = lru_cache(256)(self._read_directory)

    def tile(self, zoom: int, x: int, y: int) -> bytes | None:
        """A gzipped tile; None where the archive has none."""
        header, number = self._header, zxy_to_tileid(zoom, x, y)
        offset, length = header["root_offset"], header["root_length"]
        while True:
            entry = find_tile(self._directory(offset, length), number)
            if entry is None:
                return None
            if entry.run_length:
                found: bytes = self._get_bytes(header["tile_data_offset"] + entry.offset, entry.length)
                return found
            offset, length = header["leaf_directory_offset"] + entry.offset, entry.length

    def _read_directory(self, offset: int, length: int) -> Any:
        return deserialize_directory(self._get_bytes(offset, length))


class Archives:
    """The maps of a deployment, one for each graph that has one."""

    def __init__(self, archives: Sequence[Archive]) -> None:
        self._archives = archives
        self.tile = lru_cache(1024)(self._read_tile)

    @property
    def areas(self) -> list[dict[str, Any]]:
        """The boxes that have a map: `name, west, south, east, north`, degrees."""
        return [area for archive in self._archives for area in archive.metadata["areas"]]

    def _read_tile(self, zoom: int, x: int, y: int) -> Tile | None:
        """A tile with what all cities have in it; None outside all."""
        if not (MIN_ZOOM <= zoom <= MAX_ZOOM and 0 <= x < 2**zoom and 0 <= y < 2**zoom):
            return None
        found = [data for archive in self._archives if (data := archive.tile(zoom, x, y))]
        if not found:
            return None
        data = found[0] if len(found) == 1 else merged(found)
        return Tile(data, hashlib.blake2b(data, digest_size=8).hexdigest())


def merged(tiles: Sequence[bytes]) -> bytes:
    """One gzipped tile with the features of several, layer by layer."""
    whole, *others = (parse_from_string(gzip.decompress(tile)).tile_pbf for tile in tiles)
    layers = {layer.name: layer for layer in whole.layers}
    for layer in (layer for other in others for layer in other.layers):
        if layer.name not in layers:
            layers[layer.name] = whole.layers.add()
            layers[layer.name].CopyFrom(layer)
            continue
        into = layers[layer.name]
        into.keys.extend(key for key in layer.keys if key not in into.keys)
        keys, first = [list(into.keys).index(key) for key in layer.keys], len(into.values)
        into.values.extend(layer.values)
        for feature in layer.features:
            added = into.features.add()
            added.CopyFrom(feature)
            added.tags[::2] = [keys[key] for key in feature.tags[::2]]
            added.tags[1::2] = [first + value for value in feature.tags[1::2]]
    return gzip.compress(whole.SerializeToString(), 6, mtime=0)


def open_archives(directory: Path) -> Archives:
    """The maps in a deployment's graph directory, that of one graph or one a folder; there may be none."""
    paths = [directory / TILES] if (directory / TILES).is_file() else sorted(directory.glob(f"*/{TILES}"))
    return Archives([Archive(path) for path in paths])
