"""Walkers with trips: they ask for routes, and what the worker sends them is heard and kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import orjson
from confluent_kafka import Consumer, TopicPartition

from bench.rig.scratch import fixes_producer, flush, send_all
from bench.rig.tracks import METRES_PER_DEGREE, Tracks, join_tracks, stroll_from
from geo.errors import BadInput, Unavailable
from geo.graph import Graph
from geo.polyline import decode6
from models.records import RouteRequest, encode
from streams.kafka.topics import ROUTE_REQUESTS, ROUTE_UPDATES

PAIR_TRIES = 2_000
UNANSWERED_S = 15.0  # no answer for so long: none will come


@dataclass(frozen=True)
class Heard:
    """One message of `route-updates`, and when it was in our hands (performance counter, seconds)."""

    at_s: float
    device: str
    trip: str
    version: int
    reason: str
    fix_ts: float | None
    geometry: str | None
    value: bytes


class Listener:
    """Reads `route-updates` in a thread of its own for the length of a with block."""

    def __init__(self, bootstrap: str, partitions: int) -> None:
        self.heard: list[Heard] = []
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "bench-listener",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
            }
        )
        everything = [TopicPartition(ROUTE_UPDATES, partition, 0) for partition in range(partitions)]
        self._consumer.assign(everything)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Listener:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    def _listen(self) -> None:
        while not self._stop.is_set():
            message = self._consumer.poll(0.1)
            at_s = time.perf_counter()
            value = None if message is None or message.error() else message.value()
            if value is None:
                continue
            update = orjson.loads(value)
            self.heard.append(
                Heard(
                    at_s, update["device"], update["trip"], update["version"], update["reason"],
                    update.get("fix_ts"), update.get("geometry"), value,
                )
            )  # fmt: skip

    def wait(self, done: Callable[[list[Heard]], bool], within_s: float) -> bool:
        """Wait until what was heard satisfies `done`; whether it did within `within_s`."""
        give_up = time.monotonic() + within_s
        while time.monotonic() < give_up:
            if done(self.heard):
                return True
            time.sleep(0.1)
        return done(self.heard)


@dataclass(frozen=True)
class Wish:
    """From where to where a walker wants to go; degrees."""

    lat: float
    lon: float
    dest_lat: float
    dest_lon: float


def ask_for_routes(bootstrap: str, devices: Sequence[str], wishes: Sequence[Wish], ts_s: float) -> None:
    """Send one `route-requests` record a walker."""
    producer = fixes_producer(bootstrap)
    records = (
        RouteRequest(
            device=device, request=f"bench-{device}", ts=ts_s, kind="to",
            lat=wish.lat, lon=wish.lon, dest_lat=wish.dest_lat, dest_lon=wish.dest_lon,
        )
        for device, wish in zip(devices, wishes, strict=True)
    )  # fmt: skip
    send_all(producer, ROUTE_REQUESTS, ((record.device, encode(record)) for record in records))
    flush(producer)


def routes_of(listener: Listener, devices: Sequence[str], within_s: float) -> dict[str, str]:
    """Each walker's first route (polyline6); a walker whose request found no way has none.

    Raises Unavailable when fewer than nine in ten got one.
    """

    def answered(heard: list[Heard]) -> bool:
        return len({update.device for update in heard if update.reason == "requested"}) >= len(devices)

    give_up, known = time.monotonic() + within_s, -1
    while not listener.wait(answered, UNANSWERED_S) and time.monotonic() < give_up:
        if known == (known := len(listener.heard)) and known:
            break  # for who finds no way there is no answer
    routes = {
        update.device: update.geometry
        for update in listener.heard
        if update.reason == "requested" and update.geometry
    }
    if len(routes) < 0.9 * len(devices):
        raise Unavailable(f"only {len(routes):,} of {len(devices):,} requests were answered with a route")
    return {device: routes[device] for device in devices if device in routes}


def draw_pairs(graph: Graph, walkers: int, apart_m: float, seed: int) -> list[Wish]:
    """Starts and destinations on the same component, 0.8 to 1.2 × `apart_m` from each other.

    Raises BadInput for a graph that is too small for that.
    """
    draw = np.random.default_rng(seed)
    component = np.full(graph.node_count, -1, np.int64)
    component[graph.tail] = graph.component
    component[graph.head] = graph.component
    wishes: list[Wish] = []
    for _ in range(PAIR_TRIES):
        start, dest = draw.integers(0, graph.node_count, (2, 4 * walkers))
        north = graph.node_lat[dest] - graph.node_lat[start]
        east = (graph.node_lon[dest] - graph.node_lon[start]) * np.cos(np.radians(graph.node_lat[start]))
        distance_m = METRES_PER_DEGREE * np.hypot(north, east)
        fits = (np.abs(distance_m / apart_m - 1.0) <= 0.2) & (component[start] == component[dest])
        for a, b in zip(start[fits].tolist(), dest[fits].tolist(), strict=True):
            wishes.append(
                Wish(
                    float(graph.node_lat[a]), float(graph.node_lon[a]),
                    float(graph.node_lat[b]), float(graph.node_lon[b]),
                )
            )  # fmt: skip
        if len(wishes) >= walkers:
            return wishes[:walkers]
    raise BadInput(f"the graph has too few places {apart_m:.0f} m apart: use a larger one, or fewer fixes")


def ways_along(tracks: Tracks) -> list[Wish]:
    """From each track's begin to its end."""
    begin, end = tracks.first[:-1], tracks.first[1:] - 1
    return [
        Wish(*place)
        for place in zip(
            tracks.lat[begin].tolist(), tracks.lon[begin].tolist(),
            tracks.lat[end].tolist(), tracks.lon[end].tolist(), strict=True,
        )
    ]  # fmt: skip


def follow_routes(
    graph: Graph, routes: Sequence[str], stray_share: float, length_m: float, seed: int
) -> Tracks:
    """Tracks along the given polylines; a share of the walkers leaves theirs halfway and strolls off."""
    draw = np.random.default_rng(seed)
    polylines = []
    for text in routes:
        lat, lon = decode6(text)
        if len(lat) > 3 and draw.random() < stray_share:
            half = len(lat) // 2
            east = (graph.node_lon - lon[half]) * np.cos(np.radians(lat[half]))
            node = int(np.argmin((graph.node_lat - lat[half]) ** 2 + east**2))
            away = stroll_from(graph, node, length_m, draw)
            lat, lon = np.concatenate([lat[:half], away[0]]), np.concatenate([lon[:half], away[1]])
        polylines.append((lat, lon))
    return join_tracks(polylines)
