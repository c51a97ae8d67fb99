"""Imports the city extracts that come with the project into the run folder, unless that was done already.

`python -m cli.bundled_graph` does it for `make setup`; `flaneur up` does it when it was skipped.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from geo.errors import Unavailable
from streams.local.processes import RunFolder
from streams.local.services import PROJECT, run_folder

CITIES = ("copenhagen", "altona", "porto-centre")
_EXTRACTS = ("*.osm.pbf", "*.osm.gz", "*.osm.bz2", "*.osm")
# a change in any of these makes another graph from the same extracts
_IMPORTER = (
    "osm/*.py",
    "osm/basemap/*.py",
    "osm/basemap/*.json",
    *("graph.py", "graph_check.py", "graph_files.py", "geodesy.py", "grid.py", "pace.py", "opening_hours.py"),
    *("routing/costs.py", "routing/hierarchy.py", "routing/node_order.py"),
)


def extracts() -> list[Path]:
    """The bundled extracts; raises Unavailable when one of the cities has none."""
    found = []
    for city in CITIES:
        folder = PROJECT / "data" / "osm" / city
        files = sorted(file for pattern in _EXTRACTS for file in folder.glob(pattern))
        if not files:
            raise Unavailable(f"no extract in {folder}: the project's files are incomplete, or set GRAPH_DIR")
        found += files
    return found


def checksum(files: list[Path]) -> str:
    """One number for what the graph is made of: the extracts and the importer."""
    importer = sorted(path for name in _IMPORTER for path in (PROJECT / "geo").glob(name))
    digest = hashlib.sha256()
    for file in (*files, *importer):
        digest.update(f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def ensure_graph(folder: RunFolder, say: Callable[[str], None]) -> bool:
    """Import the bundled cities if the graph is missing or made of something else; whether it had to be."""
    files = extracts()
    current = checksum(files)
    stamp = folder.path / "graph.sources"
    try:
        if stamp.read_text() == current and any(folder.graph.iterdir()):
            return False
    except OSError:
        pass  # neither is there yet
    say(f"graph: importing {', '.join(CITIES)}")
    command = [sys.executable, "-m", "cli.main", "import-osm", *map(str, files), "-o", str(folder.graph)]
    # its progress bar and its errors go to the terminal as they are; its report must not mix with our stdout
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise Unavailable("the bundled cities could not be imported, the reason stands above")
    stamp.write_text(current)
    return True


def main() -> int:
    """Import if needed, say so."""

    def say(line: str) -> None:
        print(f"setup: {line}", file=sys.stderr)

    try:
        ensure_graph(run_folder(), say)
    except Unavailable as error:
        say(str(error))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
