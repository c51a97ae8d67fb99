"""Why a route changed, in words for the walker: built from the update's code and numbers alone.

A client that speaks another language builds its own from `reason` and `change` (docs/records.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WALKING_MPS = 1.35
SOON_M = 500.0  # farther away is said in minutes
NOTABLE_M = 20.0  # a smaller difference in length is not worth a word

_BY_REASON = {
    "requested": "Here is your route.",
    "off_route": "You left the route: here is a new way from where you are",
    "late": "You would come late: this way is quicker",
    "disliked": "Here is another way",
    "better": "A more pleasant way has opened up",
    "arrived": "You have arrived.",
    "ended": "The walk is ended.",
    "expired": "Nothing was heard of you for a long time: the walk is ended.",
    "world_changed": "Conditions ahead have changed: this way is better now",
}

# what lies ahead, and what the new way is instead
_AHEAD = {
    "closed": ("A street is closed", "here is a way round"),
    "traffic": ("Heavy traffic", "this way is calmer"),
    "rain": ("Rain", "this way has more shelter"),
    "wind": ("Strong wind", "this way has more shelter"),
    "heat": ("Heat", "this way has more shade"),
    "dark": ("Darkness", "this way is better lit"),
    "aqi": ("Poor air", "this way is cleaner"),
    "crowd": ("A crowd", "this way is emptier"),
}


def message_for(reason: str, change: Mapping[str, Any] | None = None) -> str:
    """The sentence for an update: its reason code, and its `change` if it has one."""
    change = change or {}
    ahead = _AHEAD.get(str(change.get("cause")))
    if ahead is not None and reason in ("world_changed", "better"):
        what, instead = ahead
        said = f"{what} {_where(change.get('ahead_m'))}: {instead}"
    else:
        said = _BY_REASON[reason]
    if said.endswith("."):
        return said
    return said + _length(change.get("length_m")) + "."


def _where(ahead_m: float | None) -> str:
    if ahead_m is None or ahead_m < 10.0:
        return "ahead"
    if ahead_m <= SOON_M:
        return f"{_rounded(ahead_m):.0f} m ahead"
    return f"in {max(1, round(ahead_m / WALKING_MPS / 60.0))} minutes"


def _length(length_m: float | None) -> str:
    if length_m is None or abs(length_m) < NOTABLE_M:
        return ""
    return f", {_rounded(abs(length_m)):.0f} m {'longer' if length_m > 0 else 'shorter'}"


def _rounded(metres: float) -> float:
    """To what one can tell apart while walking."""
    step = 10.0 if metres < 200.0 else 50.0 if metres < 1000.0 else 100.0
    return round(metres / step) * step
