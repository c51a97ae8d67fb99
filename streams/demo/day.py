"""The recorded day that `flaneur up` plays: walkers, weather, road works and taxis as timed records.

`python -m streams.demo.day fit-gps-error FILE` refits what the simulated walkers go by (see
`streams.demo.learned`).
"""

from __future__ import annotations

import argparse
import heapq
import math
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from geo.errors import BadInput, FlaneurError
from geo.graph import Graph
from streams.demo import world as demo_world
from streams.demo.crowd import Crowd
from streams.demo.fleet import Timed
from streams.demo.learned import DATA, LEARNED, learn, learned_bytes, load_learned
from streams.demo.networks import Networks
from streams.demo.walkers import DemoWalker, real_walker, wishers

#: What is not as it was: to be said wherever the day is shown.
NOTES = (
    "the walk in Altona is real, its times are shifted; the walker never saw the proposals",
    "the other walkers are simulated: pace and GPS error are fitted on real phones in Lyon",
    "the weather was measured at Newark on 2013-05-11: moved to each city and shifted",
    "the road works are real ones of Finland: shortened, moved to these streets or a walker's way, shifted",
    "the taxis are those of Porto on 2013-07-01, in their place: shifted, told on the minute",
)


@dataclass(frozen=True, eq=False)
class DemoDay:
    """The records in event-time order; iterating gives them."""

    records: tuple[Timed, ...]
    walkers: tuple[DemoWalker, ...]
    counts: dict[str, int]  # records by topic
    notes: tuple[str, ...] = NOTES

    def __iter__(self) -> Iterator[Timed]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    @property
    def duration_s(self) -> float:
        """Event time from the first to the last record."""
        return self.records[-1].ts - self.records[0].ts if self.records else 0.0


def demo_day(graph: Graph, walkers: int, seed: int, start_ts: float, data: Path = DATA) -> DemoDay:
    """The day on the streets of `graph` from the minute of `start_ts` on, with `walkers` simulated walkers.

    The same arguments give the same bytes. Raises BadInput when the bundled data in `data` is not there or
    the graph has nowhere to walk.
    """
    if walkers < 0:
        raise BadInput(f"{walkers} walkers cannot walk, 0 or more can")
    start_ts -= (
        start_ts % demo_world.MINUTE_S
    )  # forecasts are looked at on the full minute: everything else too
    error, pace = load_learned(data)
    world = demo_world.weather(graph, start_ts, data)
    world += demo_world.road_works(graph, start_ts, data)
    world += demo_world.taxis(graph, start_ts, data)
    world.sort(key=lambda record: record.ts)
    crowd = Crowd(graph, Networks(graph, world), demo_world.Closures(start_ts, data), error, pace, start_ts)
    walking = crowd.walk(wishers(graph, walkers, seed, start_ts))
    real = real_walker(graph, start_ts, data)
    if real is not None:
        walking.insert(0, real)
    world = sorted([*world, *crowd.closed], key=lambda record: record.ts)
    # the day ends with the walkers: nobody would see what comes later
    ends = max((records[-1].ts for _, records in walking), default=math.inf)
    seen = [record for record in world if record.ts <= ends]
    # the world first: who sets out at the same moment walks in it
    merged = tuple(heapq.merge(seen, *(records for _, records in walking), key=lambda record: record.ts))
    who = tuple(walker for walker, _ in walking)
    return DemoDay(merged, who, dict(Counter(record.topic for record in merged)))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: 0, or 2 after one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m streams.demo.day", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    fitting = commands.add_parser("fit-gps-error", help="fit GPS error and pace on recorded phone tracks")
    fitting.add_argument("file", type=Path, help="tracks with accuracy, speed and bearing")
    fitting.add_argument("--out", type=Path, default=DATA / LEARNED, help="where to write [%(default)s]")
    given = parser.parse_args(arguments)
    try:
        given.out.write_bytes(learned_bytes(learn(given.file)))
    except FlaneurError as error:
        print(f"streams.demo.day: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
