"""What every Python peer counts and prints: the protocol between `flaneur bench` and one peer process.

A peer is a script of its own, started as `python <script> BOOTSTRAP TOPIC PARTITIONS WARM FIXES`.
It reads the topic from the beginning, lets the first WARM fixes pass, measures wall and CPU time of
its own process (user + system, all threads) over the following FIXES, prints one JSON object on the
last line of its output, and ends. Start-up, imports and compilation are therefore never in the figure.

Only the standard library is used here: a peer may run in another virtual environment than Flaneur's.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

WINDOW_S = 60


@dataclass(frozen=True)
class Job:
    """What a peer is asked to do, read from its command line."""

    bootstrap: str
    topic: str
    partitions: int
    warm: int
    fixes: int

    @staticmethod
    def read() -> Job:
        bootstrap, topic, partitions, warm, fixes = sys.argv[1:6]
        return Job(bootstrap, topic, int(partitions), int(warm), int(fixes))


@dataclass
class Meter:
    """Counts fixes; its clocks run between the warm-up's last and the job's last fix."""

    warm: int
    fixes: int
    seen: int = 0
    marks: list[tuple[int, float, float]] = field(default_factory=list)

    def add(self, count: int) -> bool:
        """Count `count` fixes more; True once the job is done."""
        self.seen += count
        if not self.marks:
            if self.seen >= self.warm:
                self.marks.append((self.seen, time.perf_counter(), time.process_time()))
        elif len(self.marks) == 1 and self.seen >= self.warm + self.fixes:
            self.marks.append((self.seen, time.perf_counter(), time.process_time()))
        return self.seen >= self.warm + self.fixes

    def report(self, windows: Iterable[tuple[int, float]] | None = None, **about: str) -> None:
        """Print the result; `windows` are the (count, mean speed) of every device and window.

        Their digest is independent of order, so that two peers that saw the same fixes agree on it.
        """
        first = self.marks[0]
        last = self.marks[-1]
        result: dict[str, object] = {
            "fixes": last[0] - first[0],
            "wall_s": last[1] - first[1],
            "cpu_s": last[2] - first[2],
            "counted": self.seen,
            **about,
        }
        if windows is not None:
            pairs = list(windows)
            result |= {
                "counted": sum(count for count, _ in pairs),
                "windows": len(pairs),
                "count_squares": sum(count * count for count, _ in pairs),
                "speed_sum": round(sum(count * mean for count, mean in pairs), 3),
            }
        # Faust puts a log in the place of sys.stdout; the line break ends what it may have left there
        print(f"\n{json.dumps(result)}", file=sys.__stdout__, flush=True)
