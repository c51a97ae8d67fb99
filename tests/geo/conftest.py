"""Cities that several tests of this folder look at, each imported once."""

from pathlib import Path

import pytest

from geo.osm_import import import_osm

OSM = Path(__file__).parents[2] / "data" / "osm"


@pytest.fixture(scope="session")
def copenhagen():
    return import_osm(sorted((OSM / "copenhagen").glob("*.osm.pbf")))
