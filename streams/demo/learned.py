"""What was learned from real walks about GPS error and pace: fitted here, kept as JSON, read by the demo.

`python -m streams.demo.day fit-gps-error FILE` makes data/traces/lyon/gps_error.json.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import orjson

from geo.errors import BadInput
from models.simulation.gps_error import GpsError
from models.simulation.gps_error_fit import fit
from models.simulation.walkers import Pace, fit_pace
from streams.traces import Trace, read_traces

DATA = Path(__file__).resolve().parents[2] / "data"
LEARNED = Path("traces") / "lyon" / "gps_error.json"
#: The phone's clock was on local time there, see data/traces/multisensor/SOURCE.md.
_PHONE_AHEAD_S = 7200.0


def load_learned(data: Path = DATA) -> tuple[GpsError, Pace]:
    """GPS error and pace as fitted on the real walks; raises BadInput when the file cannot be used."""
    path = data / LEARNED
    try:
        document = orjson.loads(path.read_bytes())
        error, pace = document["gps_error"], document["pace"]
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as cause:
        raise BadInput(
            f"{path} cannot be used ({cause}): make it with `python -m streams.demo.day fit-gps-error FILE`"
        ) from cause
    return GpsError.from_dict(error), Pace.from_dict(pace)


def learn(file: Path, data: Path = DATA) -> dict[str, object]:
    """The document of `load_learned`, fitted on the phone tracks in `file` and the pairs in `data`.

    Raises BadInput when there is too little to fit.
    """
    tracks = read_traces(file)
    return {
        "fitted_on": file.name,
        "gps_error": fit(tracks, simultaneous_pairs(data)).to_dict(),
        "pace": fit_pace(tracks).to_dict(),
    }


def simultaneous_pairs(data: Path = DATA) -> list[tuple[Trace, Trace]]:
    """(phone, watch) of each lap that one walker recorded with both at once."""
    folder = data / "traces" / "multisensor"
    pairs: list[tuple[Trace, Trace]] = []
    for place in ("DC", "MC"):
        for way in ("pos", "neg"):
            phone = read_traces(folder / place / "telephone" / f"{place}_telephone_{way}.gpx.gz")
            watch = read_traces(folder / place / "polar" / f"{place}_polar_{way}.gpx.gz")
            pairs += zip(_earlier(phone), watch, strict=True)
    return pairs


def _earlier(traces: Sequence[Trace]) -> list[Trace]:
    return [replace(trace, ts=trace.ts - _PHONE_AHEAD_S) for trace in traces]


def learned_bytes(document: dict[str, object]) -> bytes:
    """The document as the file holds it: readable, and the same bytes for the same numbers."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"
