"""What the base map costs: making it from an extract, finding a tile in it, searching its places."""

from __future__ import annotations

import random
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pmtiles.reader import MmapSource, all_tiles

from bench.rig.session import Reporter
from bench.rig.timing import Samples, pin_to_one_core
from gateway.map.archives import Archives, open_archives
from gateway.map.places import PlaceIndexes, Point, open_places
from geo.osm.basemap.archive import TILES, make_basemap
from geo.osm.basemap.places import PLACES

MIB = 2**20


@dataclass(frozen=True)
class BasemapJob:
    """Of which extracts, and how many searches."""

    extracts: tuple[Path, ...]
    searches: int
    seed: int


def run_basemap(job: BasemapJob, session: Reporter) -> None:
    """Make the map, take every tile once and search; raises BadGraph for an extract that cannot be read."""
    core = pin_to_one_core()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        making = Samples()
        making.measure(lambda: make_basemap(job.extracts, folder, session.progress))
        sizes = _tile_sizes(folder / TILES)
        chance = random.Random(job.seed)
        tiles = _taken(open_archives(folder), chance, list(sizes))
        searches = _searched(open_places(folder), folder / PLACES, chance, job.searches)
        figures = [
            ("map_make_s", making.cpu_s[0], "s"),
            ("map_tiles", len(sizes), "tiles"),
            ("map_mib", (folder / TILES).stat().st_size / MIB, "MiB"),
            ("map_largest_tile_kb", max(sizes.values()) / 1000, "kB"),
            ("places_mib", (folder / PLACES).stat().st_size / MIB, "MiB"),
            ("tile_p99_ms", 1000 * tiles.p99_s, "ms"),
            ("search_p50_ms", 1000 * searches.median_s, "ms"),
            ("search_p99_ms", 1000 * searches.p99_s, "ms"),
        ]
    about = {
        "extracts": [path.name for path in job.extracts], "seed": job.seed, "searches": job.searches,
        "clock": "CPU time of one thread on one core", "pinned_to_core": core,
    }  # fmt: skip
    session.report(figures, about)


def _tile_sizes(path: Path) -> dict[tuple[int, int, int], int]:
    with path.open("rb") as file:
        return {address: len(data) for address, data in all_tiles(MmapSource(file))}


def _taken(archives: Archives, chance: random.Random, addresses: list[tuple[int, int, int]]) -> Samples:
    """Every tile once, so that none is remembered."""
    samples = Samples()
    chance.shuffle(addresses)
    for address in addresses:
        samples.measure(_call(archives.tile, address))
    return samples


def _searched(places: PlaceIndexes, path: Path, chance: random.Random, count: int) -> Samples:
    samples = Samples()
    for text, near in _questions(path, chance, count):
        samples.measure(_call(places.search, (text, near, 10)))
    return samples


def _questions(path: Path, chance: random.Random, count: int) -> Iterator[tuple[str, Point]]:
    """Beginnings of names, every third with a letter left out, asked near some other place."""
    database = sqlite3.connect(path)
    rows = database.execute("SELECT name, lat, lon FROM places WHERE name <> ''").fetchall()
    database.close()
    for number in range(count):
        name, _, _ = chance.choice(rows)
        _, lat, lon = chance.choice(rows)
        text = name[: chance.randint(1, len(name))]
        if number % 3 == 0 and len(text) > 4:
            slip = chance.randrange(1, len(text))
            text = text[:slip] + text[slip + 1 :]
        yield text, Point(lat, lon)


def _call(function: Callable[..., object], arguments: tuple[object, ...]) -> Callable[[], object]:
    return lambda: function(*arguments)
