"""Peer: Valhalla's Meili on foot over whole traces; match_meter.py describes the job.

As it is set, it matches fixes at least 10 m apart and puts the others between them. Tuned, it is told the
error, matches every fix, and looks as far as the error reaches.
"""

# mypy: disable-error-code="import-not-found"
# it lives in a virtual environment of its own, where the type checker does not look

from __future__ import annotations

import json
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import valhalla

from bench.peers.match_meter import MatchJob, Trace


def build_tiles(job: MatchJob) -> dict[str, Any]:
    """Valhalla's configuration, and its tiles beside it, built once a folder."""
    folder = job.folder / "valhalla"
    path = folder / "valhalla.json"
    if path.exists():
        built: dict[str, Any] = json.loads(path.read_text())
        return built
    (folder / "tiles").mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = valhalla.get_config("", folder / "tiles")
    config["service_limits"]["trace"]["max_shape"] = 1_000_000
    unfinished = folder / "unfinished.json"
    unfinished.write_text(json.dumps(config))
    program = Path(valhalla.__file__).parent / "bin" / "valhalla_build_tiles"
    done = subprocess.run(
        [str(program), "-c", str(unfinished), "-j", "1", job.extract],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"valhalla_build_tiles failed: {done.stderr[-300:]}")
    unfinished.rename(path)
    return config


def main() -> None:
    job = MatchJob.read()
    actor = valhalla.Actor(build_tiles(job))
    sigma_m = float(job.options["sigma_m"])
    options: dict[str, float] = {}
    if job.options.get("tuned"):
        options = {
            "gps_accuracy": sigma_m,
            "search_radius": min(100.0, max(25.0, 4.0 * sigma_m)),
            "interpolation_distance": 4.0 * sigma_m,
        }

    def match(trace: Trace) -> list[Any]:
        request = {
            "shape": [
                {"lat": lat, "lon": lon, "time": ts}
                for lat, lon, ts in zip(trace.lat, trace.lon, trace.ts, strict=True)
            ],
            "costing": "pedestrian",
            "shape_match": "map_snap",
            "trace_options": options,
            "filters": {
                "attributes": [
                    "edge.way_id", "matched.point", "matched.type", "matched.edge_index",
                ],
                "action": "include",
            },
        }  # fmt: skip
        try:
            answer = json.loads(actor.trace_attributes(json.dumps(request)))
        except RuntimeError:
            return [None] * len(trace.ts)
        edges = answer["edges"]
        found = []
        for point in answer["matched_points"]:
            index = point.get("edge_index")
            known = point["type"] != "unmatched" and index is not None and index < len(edges)
            found.append([point["lat"], point["lon"], edges[index]["way_id"]] if known else None)
        return found

    job.match_all(match, f"pyvalhalla {version('pyvalhalla')}")


main()
