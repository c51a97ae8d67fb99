"""Why a route changed, in words for the walker."""

from __future__ import annotations

_BY_REASON = {
    "requested": "Here is your route.",
    "off_route": "You left the route: here is a new way from where you are.",
    "late": "You would come late: this way is shorter.",
    "disliked": "Here is another way.",
    "better": "A more pleasant way has opened up.",
    "arrived": "You have arrived.",
    "ended": "The walk is ended.",
    "world_changed": "Conditions ahead have changed: this way is better now.",
}

_BY_FACTOR = {
    "traffic": "Heavy traffic ahead: this way is calmer.",
    "rain": "Rain ahead: this way has more shelter.",
    "wind": "Strong wind ahead: this way has more shelter.",
    "heat": "It is hot ahead: this way has more shade.",
    "dark": "It gets dark: this way is better lit.",
    "aqi": "The air ahead is poor: this way is cleaner.",
    "crowd": "It is crowded ahead: this way is emptier.",
}

CLOSED = "A street ahead is closed: here is a way round."


def message_for(reason: str) -> str:
    """The sentence for a reason code."""
    return _BY_REASON[reason]


def message_for_factor(factor: str) -> str:
    """The sentence for a change of the world, by the factor that the new route is better in."""
    return _BY_FACTOR.get(factor, _BY_REASON["world_changed"])
