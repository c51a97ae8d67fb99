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

import numpy as np

from geo.cities import Cities, City
from geo.errors import BadInput
from geo.graph import I32, Graph

LONGEST = 8_192  # characters: a day's walk has fewer
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
    for before, after in zip(reversed(path[:-1]), reversed(path[1:]), strict=True):
        ways, low, width, total = _choices(graph, before)
        i = ways.index(after)
        number = number // width[i] * total + low[i] + number % width[i]
    fractions = round(start_fraction * _WHOLE), round(end_fraction * _WHOLE)
    head = _HEAD.pack(checksum, path[0], *fractions, len(path))
    choices = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(head + choices).rstrip(b"=").decode()


def proposed_way(cities: Cities, text: str) -> ProposedWay:
    """The way that an id holds; raises BadInput for what is no id, or one of another map than these."""
    if len(text) > LONGEST:
        raise BadInput(f"a proposal's id has at most {LONGEST} characters, this one has {len(text)}")
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
        ways, low, width, total = _choices(graph, path[-1])
        if not ways:
            raise _no_id(text)
        left = number % total
        i = next(i for i in range(len(ways)) if left < low[i] + width[i])
        number = width[i] * (number // total) + left - low[i]
        path.append(ways[i])
    if number != _SEED or (count == 1 and start > end):
        raise _no_id(text)
    return ProposedWay(city, np.array(path, np.int32), start / _WHOLE, end / _WHOLE)


def _choices(graph: Graph, edge: int) -> tuple[list[int], list[int], list[int], int]:
    """The ways on behind an edge; where each one's numbers begin, how many it has, and all together."""
    node = graph.head[edge]
    ways = list(range(int(graph.first_out[node]), int(graph.first_out[node + 1])))
    back = int(graph.reverse[edge])
    width = [_BACK if way == back else _ON for way in ways]
    low = [sum(width[:i]) for i in range(len(width))]
    return ways, low, width, sum(width)


def _no_id(text: str) -> BadInput:
    return BadInput(f"{_short(text)} is no proposal's id; send one as it was shown")


def _short(text: str) -> str:
    return repr(text if len(text) <= 24 else f"{text[:20]}…")
