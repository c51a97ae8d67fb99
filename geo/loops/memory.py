"""Memory for loops on one graph, reused so that a question allocates nothing large."""

from __future__ import annotations

import weakref

import numpy as np

from geo.graph import I32, Graph
from geo.loops.trees import Tree, depths
from geo.loops.vias import Vias
from geo.loops.ways import Memory
from geo.routing.search import SearchSpace

SQUARES = 512
_FORGET_AT = 2**30


class Room:
    """Memory for loops on one graph, for one question at a time."""

    def __init__(self, graph: Graph, space: SearchSpace) -> None:
        nodes, edges, hierarchy = graph.node_count, graph.edge_count, graph.hierarchy
        self.depth: I32 = np.empty(nodes, np.int32)
        self.deepest = int(depths(hierarchy, self.depth))
        self.via_at: I32 = np.empty(nodes, np.int32)
        self.via_at[hierarchy.rank] = np.where(space.core, np.arange(nodes), -1)
        self.slot_amount = np.empty(2 * len(hierarchy.head), np.float32)
        self.out, self.home = self._tree(nodes), self._tree(nodes)
        self.memory = Memory(
            np.zeros(1, np.int64),
            np.zeros(edges, np.int32),
            np.zeros(edges, np.int32),
            np.zeros((SQUARES, SQUARES), np.int32),
            np.empty((SQUARES, SQUARES), np.float32),
            np.empty(2 * nodes + 2, np.int32),
            np.empty(4 * nodes + 8, np.int32),  # three legs that pass no node twice, and the ends
        )
        self._vias: Vias | None = None

    def vias(self, count: int) -> Vias:
        if self._vias is None or len(self._vias.rank) < count:
            shape = (count, self.deepest + 1)
            real = [np.empty(shape, np.float32) for _ in range(4)]
            whole = [np.empty(shape, np.int32) for _ in range(5)]
            rank, bearing = np.empty(count, np.int32), np.empty(count, np.float32)
            self._vias = Vias(
                rank, bearing, whole[0],
                real[0], real[1], whole[1], whole[2], real[2], real[3], whole[3], whole[4],
            )  # fmt: skip
        return Vias._make(array[:count] for array in self._vias)

    @staticmethod
    def _tree(nodes: int) -> Tree:
        return Tree(np.empty(nodes), np.zeros(nodes), np.empty(nodes, np.int32), np.empty(nodes, np.int32))


_rooms: weakref.WeakKeyDictionary[SearchSpace, Room] = weakref.WeakKeyDictionary()


def room_of(graph: Graph, space: SearchSpace) -> Room:
    """The room that belongs to the memory of a search, and lives as long."""
    room = _rooms.get(space)
    if room is None:
        room = _rooms[space] = Room(graph, space)
    if room.memory.number[0] > _FORGET_AT:
        for marks in (room.memory.avoided, room.memory.walked, room.memory.visited):
            marks[:] = 0
        room.memory.number[0] = 0
    return room
