"""Which edges are closed at a moment because of opening hours: parks at night, gates, passages.

The hours are those of the place: its time zone, public holidays and sun
(the library `opening-hours-py`, which implements the OSM wiki's "Key:opening_hours/specification").
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from opening_hours import OpeningHours, State, validate

from geo.errors import BadGraph, BadInput
from geo.graph import I32, Graph, Rule

_UTC = ZoneInfo("UTC")
_SOME_DAY = datetime(2024, 1, 1, tzinfo=_UTC)
_HOLIDAYS = re.compile(r"\b[PS]H\b")
_LATEST_S = 253_000_000_000.0  # the year 9987


class Timetable:
    """The opening hours of a graph's edges. Asking again before anything changes costs nothing.

    `until_s` is when the last answer stops being true, in seconds since the epoch (inf: never).
    """

    def __init__(self, graph: Graph) -> None:
        """Raises BadGraph where the graph has hours that this program does not understand."""
        self._rules = []
        for rule in graph.rules:
            try:
                self._rules.append([(text.startswith("open "), _hours(text, rule)) for text in rule.texts])
            except ValueError as error:
                raise BadGraph(
                    f"the graph has opening hours {rule.texts} {error}; import it again"
                ) from error
        order = np.argsort(graph.hours, kind="stable").astype(np.int32)
        bounds = np.searchsorted(graph.hours[order], np.arange(len(graph.rules) + 1))
        self._edges = [order[a:b] for a, b in pairwise(bounds)]
        self._since_s, self.until_s = math.nan, math.nan
        self._closed: I32 = np.empty(0, np.int32)

    def closed_edges(self, at_s: float) -> I32:
        """The edges (K,), sorted, that may not be walked at `at_s` seconds since the epoch.

        Hand them to `geo.routing.costs.apply_conditions`, joined with what else is closed. Raises BadInput
        for a time that is none.
        """
        if not 0.0 <= at_s <= _LATEST_S:
            raise BadInput(f"{at_s} is no time in seconds since 1970")
        if not self._since_s <= at_s < self.until_s:
            now = datetime.fromtimestamp(at_s, _UTC)
            shut = [edges for rule, edges in zip(self._rules, self._edges, strict=True) if _closed(rule, now)]
            self._closed = np.sort(np.concatenate([np.empty(0, np.int32), *shut]))
            changes = (hours.next_change(now) for rule in self._rules for _, hours in rule)
            self._since_s = at_s
            self.until_s = min((change.timestamp() for change in changes if change), default=math.inf)
        return self._closed


def closed_edges(graph: Graph, at_s: float) -> I32:
    """As `Timetable.closed_edges`, for a single question."""
    return Timetable(graph).closed_edges(at_s)


@cache
def understood(text: str) -> bool:
    """Whether a rule ("open Mo-Fr 08:00-18:00") has hours that can be evaluated."""
    return bool(validate(text.partition(" ")[2]))


def _hours(text: str, rule: Rule) -> OpeningHours:
    """Raises ValueError for hours or a time zone that this program does not know."""
    hours = text.partition(" ")[2]
    if not understood(text):
        raise ValueError("that are not understood")
    # to look a country up takes half a second and 110 MiB: only where its holidays matter
    holidays = _HOLIDAYS.search(hours) is not None
    zone = _zone(rule.time_zone)
    return OpeningHours(hours, zone, coords=(rule.lat, rule.lon), auto_country=holidays)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"in the unknown time zone {name!r}") from error


def time_zone_at(lat: float, lon: float) -> str:
    """The IANA name of the time zone of a place."""
    change = OpeningHours("00:00-12:00", coords=(lat, lon), auto_country=False).next_change(_SOME_DAY)
    zone = change.tzinfo if change else None
    return zone.key if isinstance(zone, ZoneInfo) else "UTC"


def _closed(rule: list[tuple[bool, OpeningHours]], now: datetime) -> bool:
    """Whether any part of the rule forbids it; what is unknown (by appointment) is open."""
    return any(hours.state(now)[0] == (State.CLOSED if opens else State.OPEN) for opens, hours in rule)
