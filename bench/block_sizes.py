"""`flaneur bench stream --block-sizes`: what a fix costs by how large a block may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from bench.rig.session import Session
from bench.stream import Run, StreamJob, measure_afresh, median_rates, preload_stream
from geo.errors import BadInput

ENOUGH_BLOCKS = 4_000  # as many are measured at most of the small sizes, which take long
FEWEST_FIXES = 20_000


@dataclass(frozen=True)
class SizeFigure:
    """What came out for one size."""

    block_messages: int
    fixes_per_core_s: float


def run_block_sizes(job: StreamJob, sizes: Sequence[int], session: Session) -> list[SizeFigure]:
    """Measure the worker with each size in turns, `job.runs` times, and report the medians."""
    if not sizes or min(sizes) < 1:
        raise BadInput("a block has one message or more")
    settings, sent = preload_stream(job, session)
    runs: dict[int, list[Run]] = {size: [] for size in sizes}
    for number in range(job.runs):
        for size in sizes:
            session.say(f"measuring blocks of {size:,}, {number + 1} of {job.runs}")
            fixes = min(job.fixes, max(FEWEST_FIXES, ENOUGH_BLOCKS * size))
            warm = min(job.warm, fixes // 2)
            sized = replace(settings, max_block_fixes=size)
            end = min(sent, warm + fixes)
            runs[size].append(measure_afresh(sized, f"size{size}-run{number}", session, warm, end))
    found = []
    for size in sizes:
        about: dict[str, object] = {
            "block_messages": size,
            "fixes": round(median(run.fixes for run in runs[size])),
            "devices": job.devices,
            "partitions": job.partitions,
            "seed": job.seed,
            "runs": job.runs,
            "traces": list(job.traces),
        }
        figures = median_rates(runs[size])
        session.report(figures, about)
        found.append(SizeFigure(size, figures[0][1]))
    return found
