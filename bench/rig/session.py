"""What every benchmark is handed: somewhere to report to, a graph, and for the stream services of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bench.rig.report import Emit, Figure
from bench.rig.scratch import Scratch
from geo.graph import Graph


@dataclass(frozen=True)
class Reporter:
    """Where one run of one benchmark reports to."""

    bench: str
    machine: Mapping[str, object]  # as it was before the run
    emit: Emit
    say: Callable[[str], None]  # progress, for whoever watches
    warn: Callable[[str], None]  # what the reader of the figures must know
    progress: Callable[[str, int, int], None]  # what is being done, how much of it is done, of how much

    def report(
        self,
        figures: Iterable[tuple[str, float, str]],
        about: dict[str, object],
        peer: str | None = None,
        peer_values: Iterable[float | None] = (),
    ) -> None:
        """Emit (metric, value, unit) figures, with the machine and `about` beside each."""
        theirs = list(peer_values)
        for number, (metric, value, unit) in enumerate(figures):
            described = {**self.machine, **about}
            peer_value = theirs[number] if theirs else None
            self.emit(Figure(self.bench, metric, float(value), unit, peer, peer_value, described))


@dataclass(frozen=True)
class GraphSession(Reporter):
    """One run of one benchmark that needs a graph and nothing else."""

    graph_dir: str
    graph: Graph


@dataclass(frozen=True)
class Session(GraphSession):
    """One run of one benchmark of the stream."""

    scratch: Scratch
