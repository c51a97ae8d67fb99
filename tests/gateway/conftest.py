"""Copenhagen, imported once for all tests of the gateway's planning."""

from __future__ import annotations

from pathlib import Path

import pytest

from geo.cities import Cities, open_cities
from geo.graph import save_graph
from geo.osm.importer import import_osm

OSM = Path(__file__).parents[2] / "data" / "osm" / "copenhagen"


@pytest.fixture(scope="session")
def copenhagen_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graph")
    save_graph(folder, import_osm(sorted(OSM.glob("*.osm.pbf"))))
    return folder


@pytest.fixture(scope="session")
def copenhagen(copenhagen_folder: Path) -> Cities:
    return open_cities(copenhagen_folder)
