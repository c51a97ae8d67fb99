"""A graph's directory: one .npy file an array, names.json, rules.json, and metadata.json with the checksums.

A directory is written aside and renamed into place, so a reader sees the old graph or the new one,
never half of one. Arrays are opened memory-mapped: workers on one machine share their pages.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from geo.errors import BadGraph
from geo.graph import Graph, Rule
from geo.graph_check import check_graph, check_hierarchy
from geo.routing.hierarchy import Hierarchy

FORMAT_VERSION = 4
METADATA = "metadata.json"
NAMES = "names.json"
RULES = "rules.json"
ARRAYS: dict[str, str] = {
    "node_lat": "<f8", "node_lon": "<f8", "node_osm": "<i8", "first_out": "<i4", "tail": "<i4",
    "head": "<i4", "reverse": "<i4", "length_m": "<f4", "duration_s": "<f4", "way": "<i8", "name": "<i4",
    "road_class": "|u1", "shape_first": "<i8", "shape_lat": "<f8", "shape_lon": "<f8", "cell": "<i4",
    "cell_h3": "<u8", "cell_lat": "<f8", "cell_lon": "<f8", "static_factors": "<f4", "component": "<i4",
    "hours": "<i4",
    "grid_key": "<i8", "grid_first": "<i8", "grid_edge": "<i4",
}  # fmt: skip
HIERARCHY: dict[str, str] = {
    name: "<i8" if name == "first_triangle" else "<i4" for name in Hierarchy._fields
}  # in files that begin with hierarchy_


def write_graph(directory: Path, graph: Graph, also: Callable[[Path], None] | None = None) -> Graph:
    """Write `graph` to `directory`, replacing a graph that is there, and return it reopened.

    `also` writes what else belongs into the directory (its base map) before the directory is in its place.
    Raises BadGraph where `directory` holds something that is not a graph, or cannot be written.
    """
    check_graph(graph)
    is_graph = (directory / METADATA).is_file()
    if directory.exists() and not is_graph and not (directory.is_dir() and not any(directory.iterdir())):
        raise BadGraph(f"{directory} exists and is not a graph; choose another directory")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", suffix=".part", dir=directory.parent))
    except OSError as error:
        raise BadGraph(f"cannot write beside {directory}: {error.strerror}") from error
    try:
        _write_files(aside, graph)
        if also is not None:
            also(aside)
        aside.chmod(0o755)
        if directory.exists():
            old = aside.with_suffix(".old")
            directory.rename(old)
            try:
                aside.rename(directory)
            except OSError:
                old.rename(directory)
                raise
            shutil.rmtree(old)
        else:
            aside.rename(directory)
    except OSError as error:
        raise BadGraph(f"cannot write the graph {directory}: {error.strerror}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return read_graph(directory)


def _write_files(directory: Path, graph: Graph) -> None:
    for array_name, dtype in ARRAYS.items():
        np.save(
            directory / f"{array_name}.npy", np.ascontiguousarray(getattr(graph, array_name), dtype=dtype)
        )
    for array_name, dtype in HIERARCHY.items():
        array = np.ascontiguousarray(getattr(graph.hierarchy, array_name), dtype=dtype)
        np.save(directory / f"hierarchy_{array_name}.npy", array)
    (directory / NAMES).write_text(json.dumps(graph.names, ensure_ascii=False), "utf-8")
    rules = [asdict(rule) for rule in graph.rules]
    (directory / RULES).write_text(json.dumps(rules, ensure_ascii=False), "utf-8")
    files = {name: _sha256(directory / name) for name in _file_names()}
    meta = dict(graph.meta)
    meta["version"] = FORMAT_VERSION
    meta["files"] = files
    meta["checksum"] = _checksum_of(files)
    (directory / METADATA).write_text(json.dumps(meta, ensure_ascii=False, indent=1), "utf-8")


def read_graph(directory: Path, *, verify: bool = False) -> Graph:
    """Open the graph in `directory`, its arrays memory-mapped and read-only.

    With `verify`, every file is read and compared with its checksum, and every invariant is checked.
    Raises BadGraph with what is wrong and where.
    """
    meta = read_metadata(directory)
    if verify:
        _verify_files(directory, meta["files"])
    arrays = {name: _read_array(directory / f"{name}.npy", dtype) for name, dtype in ARRAYS.items()}
    names = _read_json(directory / NAMES)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadGraph(f"{directory / NAMES} is not a list of names; import the graph again")
    fields: dict[str, Any] = arrays
    graph = Graph(**fields, names=tuple(names), rules=_read_rules(directory / RULES), meta=meta)
    check_graph(graph, deep=verify)
    stored = Hierarchy(
        *(_read_array(directory / f"hierarchy_{name}.npy", dtype) for name, dtype in HIERARCHY.items())
    )
    vars(graph)["hierarchy"] = stored  # as if it had been built
    check_hierarchy(graph, stored, deep=verify)
    return graph


def read_metadata(directory: Path) -> dict[str, Any]:
    """What a graph says of itself; raises BadGraph where it is of another version or was changed."""
    meta = _read_json(directory / METADATA)
    if not isinstance(meta, dict) or meta.get("version") != FORMAT_VERSION:
        found = meta.get("version") if isinstance(meta, dict) else None
        raise BadGraph(
            f"the graph {directory} has format version {found!r}, this program reads {FORMAT_VERSION}; "
            "import it again with `flaneur import-osm`"
        )
    files = meta.get("files")
    if not isinstance(files, dict) or meta.get("checksum") != _checksum_of(files):
        raise BadGraph(f"{directory / METADATA} was changed after the import; import the graph again")
    return meta


def read_bounds(directory: Path) -> tuple[float, float, float, float]:
    """South, west, north and east of a graph's nodes, degrees; raises BadGraph."""
    lat, lon = (_read_array(directory / f"{name}.npy", "<f8") for name in ("node_lat", "node_lon"))
    return float(lat.min()), float(lon.min()), float(lat.max()), float(lon.max())


def _file_names() -> list[str]:
    arrays = [*ARRAYS, *(f"hierarchy_{name}" for name in HIERARCHY)]
    return [f"{name}.npy" for name in arrays] + [NAMES, RULES]


def _verify_files(directory: Path, files: Mapping[str, object]) -> None:
    for name in _file_names():
        if _sha256(directory / name) != files.get(name):
            raise BadGraph(f"{directory / name} does not match its checksum; import the graph again")


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadGraph(f"cannot read {path}: {error.strerror}") from error


def _checksum_of(files: Mapping[str, object]) -> str:
    lines = "".join(f"{name} {files.get(name)}\n" for name in _file_names())
    return hashlib.sha256(lines.encode()).hexdigest()


def _read_rules(path: Path) -> tuple[Rule, ...]:
    try:
        found: Any = _read_json(path)
        return tuple(
            Rule(
                tuple(map(str, rule["texts"])), float(rule["lat"]), float(rule["lon"]), str(rule["time_zone"])
            )
            for rule in found
        )
    except (TypeError, KeyError, ValueError) as error:
        raise BadGraph(f"{path} is not a list of rules; import the graph again") from error


def _read_json(path: Path) -> object:
    try:
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadGraph(
            f"{path.parent} is not a graph: cannot read {path.name} ({error.strerror}); "
            "make one with `flaneur import-osm`"
        ) from error
    except ValueError as error:
        raise BadGraph(f"{path} is damaged ({error}); import the graph again") from error


def _read_array(path: Path, dtype: str) -> np.ndarray[Any, Any]:
    try:
        array: np.ndarray[Any, Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BadGraph(f"cannot read {path} ({error}); import the graph again") from error
    if array.dtype.str != dtype:
        raise BadGraph(f"{path} holds {array.dtype.str}, expected {dtype}; import the graph again")
    return array
