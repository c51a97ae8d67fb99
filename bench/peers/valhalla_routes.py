"""Peer: Valhalla on foot, over tiles that it builds from the same extract; routing.py describes the job."""

# mypy: disable-error-code="import-not-found"
# it lives in a virtual environment of its own, where the type checker does not look

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

import orjson
import valhalla

from bench.peers.routing_meter import RoutingJob


def build_tiles(job: RoutingJob) -> dict[str, object]:
    """Valhalla's configuration, and its tiles beside it."""
    folder = job.folder / "valhalla"
    (folder / "tiles").mkdir(parents=True, exist_ok=True)
    config: dict[str, object] = valhalla.get_config("", folder / "tiles")
    path = folder / "valhalla.json"
    path.write_bytes(orjson.dumps(config))
    program = Path(valhalla.__file__).parent / "bin" / "valhalla_build_tiles"
    done = subprocess.run(
        [str(program), "-c", str(path), "-j", "1", str(job.extract)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"valhalla_build_tiles failed: {done.stderr[-300:]}")
    return config


def main() -> None:
    job = RoutingJob.read()
    actor = valhalla.Actor(build_tiles(job))
    requests = [
        orjson.dumps(
            {
                "locations": [{"lat": pair[0], "lon": pair[1]}, {"lat": pair[2], "lon": pair[3]}],
                "costing": "pedestrian",
                "directions_type": "none",  # a path with its length and time, no words
            }
        ).decode()
        for pair in job.place_pairs
    ]

    def ask(number: int) -> float | None:
        try:
            answer = orjson.loads(actor.route(requests[number]))
        except RuntimeError:
            return None
        return float(answer["trip"]["summary"]["length"]) * 1000.0

    job.report(
        version=f"pyvalhalla {version('pyvalhalla')}",
        route=job.measure(ask, len(requests)),
    )


main()
