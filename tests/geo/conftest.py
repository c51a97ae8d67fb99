"""Cities that several tests of this folder look at, each imported once."""

from functools import cache
from pathlib import Path

import pytest

from geo.osm.importer import import_osm

OSM = Path(__file__).parents[2] / "data" / "osm"


@pytest.fixture(scope="session")
def copenhagen():
    return city("copenhagen")


@pytest.fixture(scope="session")
def porto():
    return city("porto-centre")


@cache
def city(name):
    """The graph of the extract in data/osm/NAME."""
    return import_osm(sorted((OSM / name).glob("*.osm.pbf")))


@pytest.fixture(scope="session")
def city_named():
    """Any city of data/osm by its name, each imported once."""
    return city
