"""What follows from a call of `models.trips.walking`: updates to send, messages to put aside, and counts."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geo.errors import BadRecord, FlaneurError, NoCandidate, NoRoute
from geo.graph import F64
from geo.matching import Matches
from geo.windows import DUPLICATE, IN_ORDER, LATE, OUT_OF_ORDER
from models.fix_columns import BadValue
from models.records import RouteUpdate


@dataclass(frozen=True)
class Problem:
    """A message, or one fix of it, that cannot be used."""

    message_index: int
    reason: str
    detail: str


@dataclass
class FixCounts:
    """What became of the fixes of a block."""

    fixes: int = 0
    late: int = 0
    duplicate: int = 0
    out_of_order: int = 0
    matched: int = 0
    off_network: int = 0
    distance_m: float = math.nan  # mean over the matched
    probability: float = math.nan
    newest_ts: float = 0.0


#: What ran (a kernel, or all searches of a round), from when to when by the performance counter.
Lap = tuple[str, float, float]


@dataclass
class Step:
    """Updates, problems, and what was counted on the way."""

    updates: list[RouteUpdate] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    counts: FixCounts = field(default_factory=FixCounts)
    decisions: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    laps: list[Lap] = field(default_factory=list)  # in order
    searches: list[tuple[str, float]] = field(default_factory=list)  # why, and how long each took
    false_reroutes: int = 0

    def decided(self, reason: str) -> None:
        """Count a decision."""
        self.decisions[reason] = self.decisions.get(reason, 0) + 1

    def failed_with(self, error: FlaneurError) -> None:
        """Count a search that found nothing."""
        name = reason_of(error)
        self.failed[name] = self.failed.get(name, 0) + 1

    @contextmanager
    def searching(self, reason: str) -> Iterator[None]:
        """Time a search: until the update is made, or nothing was found."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.searches.append((reason, time.perf_counter() - started))

    def problem(self, message_index: int, reason: str, detail: str) -> None:
        """Put a message aside."""
        self.problems.append(Problem(message_index, reason, detail))

    def lap(self, kernel: str, started: float) -> float:
        """Note that a kernel ran since `started`; returns the time now."""
        now = time.perf_counter()
        self.laps.append((kernel, started, now))
        return now

    def add(self, other: Step) -> None:
        """Append what followed from a later call (its fixes are not added: only records come singly)."""
        self.updates += other.updates
        self.problems += other.problems
        self.searches += other.searches
        self.false_reroutes += other.false_reroutes
        for mine, others in ((self.decisions, other.decisions), (self.failed, other.failed)):
            for name, n in others.items():
                mine[name] = mine.get(name, 0) + n
        self.laps += other.laps


def reason_of(error: FlaneurError) -> str:
    """The code that an error is counted and put aside under."""
    if isinstance(error, BadRecord):
        return error.reason
    if isinstance(error, NoCandidate):
        return "no_candidate"
    return "no_route" if isinstance(error, NoRoute) else "bad_request"


def problem_of(bad: BadValue) -> Problem:
    """What the parser of fixes refused."""
    where = f"fix {bad.fix_index}: " if bad.fix_index >= 0 else ""
    return Problem(bad.message_index, bad.reason, where + bad.detail)


def count_fixes(counts: FixCounts, kind: NDArray[np.uint8], ts: F64) -> None:
    """Fill in how the fixes of a block came: `kind` (n,) as `geo.windows.classify_events` gives it."""
    of_kind = np.bincount(kind, minlength=4).tolist()
    counts.fixes = len(kind)
    counts.late, counts.duplicate, counts.out_of_order = (
        of_kind[one] for one in (LATE, DUPLICATE, OUT_OF_ORDER)
    )
    counts.newest_ts = float(ts.max())


def count_matches(counts: FixCounts, kind: NDArray[np.uint8], matched: Matches) -> None:
    """Fill in how the fixes of a block were matched."""
    judged = kind == IN_ORDER
    on = judged & (matched.off_network == 0)
    counts.matched = int(np.count_nonzero(on))
    counts.off_network = int(np.count_nonzero(judged)) - counts.matched
    if counts.matched:
        counts.distance_m = float(matched.distance_m[on].sum()) / counts.matched
        counts.probability = float(matched.probability[on].sum()) / counts.matched
