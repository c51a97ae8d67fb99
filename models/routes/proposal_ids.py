"""A proposal's id holds the way itself, so that whoever has the graph knows it again and nobody keeps a list.

Of a path it says where it begins, and at every junction which way it goes on: little more than a bit an edge.
The choices are one whole number, by asymmetric numeral systems (Duda 2013, arXiv:1311.2540) without
renormalization: Python's numbers have no last digit.
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from geo.cities import Cities, City
from geo.errors import BadInput
from geo.graph import I32, Graph
from models.records import MAX_PROPOSAL_BYTES

_HEAD = struct.Struct(">IIHHH")  # checksum of the graph, first edge, fractions of the ends, number of edges
_WHOLE = 65_535
_SEED = 251  # what is left of the number when all choices are read: hardly so in an id that was made up
_ON, _BACK = 16, 1  # how likely it is to go on by any of the other ways, and to turn round


@dataclass(frozen=True)
class ProposedWay:
    """The way behind an id: as `geo.routing.search.Path`, to a ten-thousandth of an edge."""

    city: City
    edges: I32
    start_fraction: float
    end_fraction: float


def proposal_id(graph: Graph, checksum: int, edges: I32, start_fraction: float, end_fraction: float) -> str:
    """The id of a path of connected edges on the graph with this checksum (`geo.cities.City`), URL-safe."""
    path: list[int] = edges.tolist()
    number = _SEED
    begin, end, back = (values.tolist() for values in _ways_on(graph, edges[:-1]))
    for before in reversed(range(len(path) - 1)):
        low, width, total = _numbers(begin[before], end[before], back[before], path[before + 1])
        number = number // width * total + low + number % width
    fractions = round(start_fraction * _WHOLE), round(end_fraction * _WHOLE)
    head = _HEAD.pack(checksum, path[0], *fractions, len(path))
    choices = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(head + choices).rstrip(b"=").decode()


def proposed_way(cities: Cities, text: str) -> ProposedWay:
    """The way that an id holds; raises BadInput for what is no id, or one of another map than these."""
    if len(text) > MAX_PROPOSAL_BYTES:
        raise BadInput(
            f"a proposal's id has at most {MAX_PROPOSAL_BYTES} characters, this one has {len(text)}"
        )
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        checksum, first, start, end, count = _HEAD.unpack_from(data)
    except (binascii.Error, ValueError, struct.error) as error:
        raise _no_id(text) from error
    city = cities.with_checksum(checksum)
    if city is None:
        raise BadInput(f"the proposal {_short(text)} belongs to another version of the map; ask for new ones")
    graph = city.graph
    if first >= graph.edge_count or count == 0:
        raise _no_id(text)
    number = int.from_bytes(data[_HEAD.size :], "big")
    path = [first]
    for _ in range(count - 1):
        begin, behind, back = (int(value) for value in _ways_on(graph, np.int64(path[-1])))
        if begin == behind:
            raise _no_id(text)
        total = _numbers(begin, behind, back, begin)[2]
        left = number % total
        for way in range(begin, behind):
            low, width, _ = _numbers(begin, behind, back, way)
            if left < low + width:
                break
        number = width * (number // total) + left - low
        path.append(way)
    if number != _SEED or (count == 1 and start > end):
        raise _no_id(text)
    return ProposedWay(city, np.array(path, np.int32), start / _WHOLE, end / _WHOLE)


def _ways_on(graph: Graph, edges: Any) -> tuple[Any, Any, Any]:
    """Behind each edge: the first way on, the one behind the last, and the way back (-1: there is none)."""
    node, first_out = np.asarray(graph.head)[edges], np.asarray(graph.first_out)
    return first_out[node], first_out[node + 1], np.asarray(graph.reverse)[edges]


def _numbers(begin: int, end: int, back: int, way: int) -> tuple[int, int, int]:
    """Of a way on among those from `begin` to `end`: its first number, how many it has, how many all have."""
    turns = begin <= back < end
    low = (way - begin) * _ON - (_ON - _BACK if turns and back < way else 0)
    total = (end - begin) * _ON - (_ON - _BACK if turns else 0)
    return low, _BACK if way == back else _ON, total


def _no_id(text: str) -> BadInput:
    return BadInput(f"{_short(text)} is no proposal's id; send one as it was shown")


def _short(text: str) -> str:
    return repr(text if len(text) <= 24 else f"{text[:20]}…")
