"""Every windowed feature, declared once as data, and the packed value an online store keeps.

Walkers' features are computed by `geo.windows` from `WALKER_WINDOWS`, in the order of WALKER_FEATURES; those
of cells and stretches of street by the condition windows, under the names of the fields of
`models.records.EdgeCondition`.
"""

from __future__ import annotations

import math
import struct
import zlib

import numpy as np

from geo.errors import BadInput
from geo.graph import F32, F64
from geo.window_layout import EVENT, Entity, Feature, Source, WindowLayout, window_layout

# What a walker's fixes hold. What a phone says beyond a range counts as the end of the range.
WALKER_SOURCES: tuple[Source, ...] = (
    Source("lat", -90.0, 90.0, per_unit=1e7),
    Source("lon", -180.0, 180.0, per_unit=1e7),
    Source("accuracy_m", 0.0, 127.5, per_unit=2, optional=True),
    Source("speed_mps", 0.0, 12.75, per_unit=20, optional=True),
    Source("off_network", 0.0, 1.0, per_unit=1),
)

STILL_M = 4.0  # from pane to pane; less is the wandering of a fix


def _walker(
    name: str, source: str, aggregate: str, window_s: int, unit: str, default: float, meaning: str,
    parameter: float = math.nan,
) -> Feature:  # fmt: skip
    return Feature(
        name, "walker", "gps-fixes", source, aggregate, window_s, 20, 60, unit, default, meaning, parameter
    )


def _cell(
    name: str, topic: str, source: str, aggregate: str, window_s: int, unit: str, default: float, meaning: str
) -> Feature:
    return Feature(name, "cell", topic, source, aggregate, window_s, 60, 300, unit, default, meaning)


def _edge(
    name: str, source: str, aggregate: str, window_s: int, unit: str, default: float, meaning: str
) -> Feature:
    return Feature(
        name, "edge", "traffic-reports", source, aggregate, window_s, 60, 300, unit, default, meaning
    )


WALKER_FEATURES: tuple[Feature, ...] = (
    _walker("pace_mps_60s", "lat, lon", "pace", 60, "m/s", 1.35, "how fast the walker is right now"),
    _walker("pace_mps_300s", "lat, lon", "pace", 300, "m/s", 1.35, "how fast of late"),
    _walker("pace_mps_900s", "lat, lon", "pace", 900, "m/s", 1.35, "how fast in general, halts included"),
    _walker("distance_m_60s", "lat, lon", "path", 60, "m", 0.0, "way made"),
    _walker("distance_m_300s", "lat, lon", "path", 300, "m", 0.0, "way made"),
    _walker("distance_m_900s", "lat, lon", "path", 900, "m", 0.0, "way made"),
    _walker("stops_900s", "lat, lon", "stops", 900, "1", 0.0, "times the walker came to stand", STILL_M),
    _walker("stopped_share_300s", "lat, lon", "stopped_share", 300, "share", 0.0, "standing lately", STILL_M),
    _walker(
        "stopped_share_900s", "lat, lon", "stopped_share", 900, "share", 0.0, "standing in general", STILL_M
    ),
    _walker("accuracy_m_300s", "accuracy_m", "mean", 300, "m", 8.0, "how well the phone is located"),
    _walker("fixes_per_min_300s", EVENT, "rate", 300, "1/min", 0.0, "how often the phone reports", 60.0),
    _walker("off_network_share_300s", "off_network", "mean", 300, "share", 0.0, "on no mapped way"),
    _walker(
        "pace_ewma_mps_900s", "lat, lon", "pace_ewma", 900, "m/s", 1.35, "how fast, the latest weighing most",
        120.0,
    ),
    _walker("stops_300s", "lat, lon", "stops", 300, "1", 0.0, "times of late", STILL_M),
    _walker("speed_mps_60s", "speed_mps", "mean", 60, "m/s", 1.35, "how fast the phone says it is"),
    _walker("speed_variance_300s", "speed_mps", "variance", 300, "m2/s2", 0.0, "how unsteady the gait is"),
)  # fmt: skip

# 12.75 fixes a second: as many as a pane of 20 s can have while their number fits in a byte
WALKER_WINDOWS: WindowLayout = window_layout(
    WALKER_FEATURES, WALKER_SOURCES, events_per_s=12.75, remembered=64
)

CELL_FEATURES: tuple[Feature, ...] = (
    _cell("rain_now_mmph", "weather-reports", "precip_mmph", "latest", 0, "mm/h", 0.0, "rain right now"),
    _cell(
        "rain_1h_mmph",
        "weather-reports",
        "precip_mmph",
        "max ahead",
        3600,
        "mm/h",
        0.0,
        "rain within an hour",
    ),
    _cell(
        "rain_3h_mmph",
        "weather-reports",
        "precip_mmph",
        "max ahead",
        10800,
        "mm/h",
        0.0,
        "rain within 3 hours",
    ),
    _cell("wind_mps", "weather-reports", "wind_mps", "latest", 0, "m/s", 0.0, "wind speed"),
    _cell("wind_deg", "weather-reports", "wind_deg", "latest", 0, "deg", 0.0, "where the wind comes from"),
    _cell("temp_c", "weather-reports", "temp_c", "latest", 0, "degC", 15.0, "air temperature"),
    _cell("cloud", "weather-reports", "cloud", "latest", 0, "%", 50.0, "sky covered"),
    _cell("uv", "weather-reports", "uv", "latest", 0, "index", 0.0, "ultraviolet index"),
    _cell("aqi", "traffic-reports", "aqi", "mean", 3600, "index", 20.0, "European air quality index"),
)

EDGE_FEATURES: tuple[Feature, ...] = (
    _edge("speed_mps", "speed_mps", "mean", 300, "m/s", 13.9, "speed of vehicles"),
    _edge("free_flow_mps", "free_flow_mps", "latest", 0, "m/s", 13.9, "their speed when free"),
    _edge("speed_ratio", "speed_mps", "mean over free flow", 300, "share", 1.0, "1 free, 0 jam"),
    _edge("speed_trend", "speed_mps", "slope", 900, "m/s per min", 0.0, "getting faster"),
    _edge("severity", "severity", "max valid", 0, "0..10", 0.0, "of roadworks and incidents"),
    _edge("closed", "kind", "any valid", 0, "0 or 1", 0.0, "nobody can pass"),
)

CROWD_SOURCES: tuple[Source, ...] = (
    Source("seconds", 0.0, 120.0, per_unit=10),
    Source("expected_s", 0.0, 120.0, per_unit=10),
)


def _crowd(entity: Entity) -> tuple[Feature, ...]:
    """What passages tell of a cell or a stretch; fields of EdgeCondition: models.world.crowd."""

    def feature(
        name: str, source: str, aggregate: str, window_s: int, unit: str, default: float, meaning: str
    ) -> Feature:
        return Feature(
            name, entity, "cell-observations", source, aggregate, window_s, 60, 300, unit, default, meaning
        )

    return (
        feature("walkers_300s", EVENT, "distinct", 300, "1", 0.0, "different walkers of late"),
        feature("walkers_900s", EVENT, "distinct", 900, "1", 0.0, "different walkers in general"),
        feature("walker_s_300s", "seconds", "sum", 300, "s", 0.0, "time that all of them spent there"),
        feature("walker_s_900s", "seconds", "sum", 900, "s", 0.0, "time that all of them spent there"),
        feature("expected_s_900s", "expected_s", "sum", 900, "s", 0.0, "time that they should have needed"),
    )


CROWD_FEATURES: tuple[Feature, ...] = _crowd("cell") + _crowd("edge")
# The same for both. A hundred passages a second: two thousand walkers in a cell.
CROWD_WINDOWS: WindowLayout = window_layout(_crowd("cell"), CROWD_SOURCES, events_per_s=100.0)

FEATURES: tuple[Feature, ...] = WALKER_FEATURES + CELL_FEATURES + EDGE_FEATURES + CROWD_FEATURES

# Changes whenever a stored value would be misread: another name, order, aggregate, window or unit.
SCHEMA: int = zlib.crc32(
    repr([(f.name, f.aggregate, f.parameter, f.window_s, f.unit) for f in WALKER_FEATURES]).encode()
)

_PACKED = struct.Struct(f"<Id{len(WALKER_FEATURES)}f")
_PACKED_DTYPE = np.dtype([("schema", "<u4"), ("ts", "<f8"), ("values", "<f4", (len(WALKER_FEATURES),))])


def pack_features(event_ts: F64, values: F32) -> list[bytes]:
    """Walkers' features as the one value an online store keeps of each, little-endian.

    schema uint32, event time float64 (seconds since the epoch), then float32 in the order of
    WALKER_FEATURES (nan: unknown). event_ts: (n,), values: (n, F). Raises BadInput for other shapes.
    """
    if values.shape != (len(event_ts), len(WALKER_FEATURES)):
        raise BadInput(
            f"features have the shape {values.shape}, needed ({len(event_ts)}, {len(WALKER_FEATURES)})"
        )
    rows = np.empty(len(event_ts), _PACKED_DTYPE)
    rows["schema"], rows["ts"], rows["values"] = SCHEMA, event_ts, values
    data = rows.tobytes()
    return [data[at : at + _PACKED.size] for at in range(0, len(data), _PACKED.size)]


def unpack_features(packed: bytes) -> tuple[float, dict[str, float]]:
    """Event time and features by name of `pack_features`; what is unknown has its default.

    Raises BadInput for bytes of another size or schema: an older or newer program wrote them.
    """
    if len(packed) != _PACKED.size:
        raise BadInput(f"stored features have {len(packed)} bytes, needed {_PACKED.size}; store them anew")
    schema, event_ts, *values = _PACKED.unpack(packed)
    if schema != SCHEMA:
        raise BadInput(f"stored features have the schema {schema:08x}, needed {SCHEMA:08x}; store them anew")
    return event_ts, {
        f.name: f.default if value != value else value
        for f, value in zip(WALKER_FEATURES, values, strict=True)
    }
