"""Which column is what: the usual names of time, position, accuracy, speed, bearing and track."""

from __future__ import annotations

from collections.abc import Sequence

from geo.errors import BadInput
from streams.traces.trace import Columns

#: In order of preference; compared in small letters with everything but letters and digits left out.
USUAL: dict[str, tuple[str, ...]] = {
    "ts": (
        "ts", "time", "timestamp", "locationutcms", "locationutc", "datetime", "timems", "timestampms", "tst",
        "utc", "recordedat", "date", "epoch", "t",
    ),
    "lat": ("lat", "latitude", "latdeg", "y"),
    "lon": ("lon", "lng", "long", "longitude", "londeg", "x"),
    "accuracy": ("accuracym", "accuracy", "acc", "horizontalaccuracy", "hacc", "haccuracy"),
    "speed": ("speedmps", "speed", "velocity"),
    "bearing": ("bearingdeg", "bearing", "course", "heading", "cog", "orientation"),
    "track": (
        "track", "trackid", "trip", "tripid", "device", "deviceid", "trace", "traceid", "user", "userid",
        "id",
    ),
}  # fmt: skip


def plain(name: str) -> str:
    """A column's name as it is compared."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def find_columns(header: Sequence[str], wanted: Columns, file: str) -> dict[str, str]:
    """The column of each quantity, by quantity: as `wanted`, else by its usual name; lat and lon are certain.

    Raises BadInput naming a wanted column that is not there, or a position that is not found.
    """
    by_plain: dict[str, str] = {}
    for name in header:
        by_plain.setdefault(plain(name), name)
    found: dict[str, str] = {}
    for quantity, usual in USUAL.items():
        asked: str | None = getattr(wanted, quantity)
        if asked is not None:
            if asked not in header:
                raise BadInput(f"{file} has no column {asked!r}: it has {', '.join(header)}")
            found[quantity] = asked
            continue
        known = [by_plain[one] for one in usual if one in by_plain]
        if known:
            found[quantity] = known[0]
    for quantity in ("lat", "lon"):
        if quantity not in found:
            raise BadInput(
                f"{file} has no column that looks like {quantity}, among {', '.join(header)[:200]}:"
                f" name it with {quantity}="
            )
    return found
