"""The graph of a small city, made once for all benchmarks that need one."""

import pytest

from geo.graph import save_graph
from geo.osm.importer import import_osm
from tests.bench.altona import ALTONA


@pytest.fixture(scope="session")
def graph_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("graphs") / "altona"
    save_graph(directory, import_osm([ALTONA]))
    return str(directory)
