"""What a planner sees at one moment: a graph and the costs of now. Frozen; replaced whole."""

from __future__ import annotations

from dataclasses import dataclass

from geo.graph import Graph
from geo.routing.costs import Costs


@dataclass(frozen=True)
class Network:
    """A graph with one version of its costs."""

    graph: Graph
    costs: Costs
