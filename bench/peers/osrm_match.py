"""Peer: OSRM's match on foot over whole traces; match_meter.py describes the job."""

# mypy: disable-error-code="import-not-found"
# it lives in a virtual environment of its own, where the type checker does not look

from __future__ import annotations

import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import osrm

from bench.peers.match_meter import MatchJob, Trace


def build(job: MatchJob) -> Path:
    """The graph that OSRM makes of the extract with its foot profile, built once a folder."""
    folder = job.folder / "osrm"
    base, done = folder / "map.osrm", folder / "done"
    if done.exists():
        return base
    folder.mkdir(parents=True, exist_ok=True)
    package = Path(osrm.__file__).parent
    extract = folder / "map.osm.pbf"
    shutil.copy(job.extract, extract)
    for program, *arguments in (
        ("osrm-extract", "-t", "1", "-p", str(package / "share" / "profiles" / "foot.lua"), str(extract)),
        ("osrm-partition", "-t", "1", str(base)),
        ("osrm-customize", "-t", "1", str(base)),
    ):
        run = subprocess.run(
            [str(package / "bin" / program), *arguments], capture_output=True, text=True, check=False
        )
        if run.returncode != 0:
            raise SystemExit(f"{program} failed: {(run.stderr or run.stdout)[-300:]}")
    done.touch()
    return base


def main() -> None:
    job = MatchJob.read()
    engine = osrm.OSRM(storage_config=str(build(job)), use_shared_memory=False, algorithm="MLD")
    sigma_m = float(job.options["sigma_m"])

    def match(trace: Trace) -> list[Any]:
        parameters = osrm.MatchParameters(
            coordinates=list(zip(trace.lon, trace.lat, strict=True)),
            timestamps=[round(ts) for ts in trace.ts],
            radiuses=[sigma_m] * len(trace.ts),
            gaps="ignore",
        )
        try:
            answer = engine.Match(parameters)
        except RuntimeError:
            return [None] * len(trace.ts)
        found: list[Any] = []
        for point in answer["tracepoints"]:
            if not point:
                found.append(None)
                continue
            lon, lat = (float(value) for value in point["location"])
            found.append([lat, lon, None])
        return found

    job.match_all(match, f"osrm-bindings {version('osrm-bindings')}")


main()
