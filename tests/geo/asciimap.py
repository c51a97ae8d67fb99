"""Draw the map in the test: an ASCII drawing becomes a walk graph.

    graph, at = graph_from_ascii('''
        A----B----C
        |    |
        D----E
    ''', tags={"ABC": {"highway": "residential", "name": "High Street"}, "B": {"barrier": "gate"}})
    graph.node_lat[at["A"]]

Letters and digits are places: each is a node of the graph. `- | / \\` join two places (lines must be
straight), `+` is a bend, or a junction without a name where three or more lines meet. One character is
`metres_per_char` metres, to the east as to the south; `A----B` are 5 characters apart.

Every drawn line between two places is a footway of its own, unless `tags` says more:
- "ABC": the lines A-B and B-C are one way with these tags (in this direction). Where no line is drawn
  between two of them, they are joined by a straight one (a bridge, or a way across the drawing). A way
  without a `highway` tag is no street: "ABCDA": {"leisure": "park"} is a park.
- "B": a node's tags; a place that no line touches is a thing beside the ways, such as a tree.
- "*": the tags of all lines not named otherwise.

OSM ids: nodes 1, 2, ... in reading order; ways 101, 102, ... in the order of `tags`, then of drawing.
Way ids can be told with `graph.way`. The top left character lies at ORIGIN_LAT, ORIGIN_LON.
"""

from __future__ import annotations

import itertools
import string
from collections.abc import Mapping

import shapely

from geo.geodesy import from_local
from geo.graph import Graph
from geo.osm.extract import Extract
from geo.osm.foot_access import is_area, is_obstacle
from geo.osm.importer import graph_of

ORIGIN_LAT, ORIGIN_LON = 60.0, 24.0
FOOTWAY = {"highway": "footway"}
_PLACES = string.ascii_letters + string.digits
_LINES = {"-": {(0, 1), (0, -1)}, "|": {(1, 0), (-1, 0)}, "/": {(1, -1), (-1, 1)}, "\\": {(1, 1), (-1, -1)}}
_DIRECTIONS = [(0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1)]
Spot = tuple[int, int]


def graph_from_ascii(
    map: str, *, metres_per_char: float = 10.0, tags: Mapping[str, Mapping[str, str]] | None = None
) -> tuple[Graph, dict[str, int]]:
    """The graph of a drawn map, and the node index of each place that is on a way."""
    extract, place_osm = extract_from_ascii(map, metres_per_char=metres_per_char, tags=tags)
    graph = graph_of([extract], keep_nodes=set(place_osm.values()), keep_all=True)
    index = {int(osm): node for node, osm in enumerate(graph.node_osm)}
    return graph, {place: index[osm] for place, osm in place_osm.items() if osm in index}


def extract_from_ascii(
    map: str, *, metres_per_char: float = 10.0, tags: Mapping[str, Mapping[str, str]] | None = None
) -> tuple[Extract, dict[str, int]]:
    """What the importer would have read from a file with the drawn map, and the places' OSM ids."""
    rows = map.expandtabs().strip("\n").splitlines()
    indent = min((len(row) - len(row.lstrip()) for row in rows if row.strip()), default=0)
    chars = {(r, c): char for r, row in enumerate(rows) for c, char in enumerate(row[indent:]) if char != " "}
    unknown = {char for char in chars.values() if char not in _PLACES + "+" and char not in _LINES}
    if unknown:
        raise ValueError(f"the map has characters without a meaning: {sorted(unknown)}")
    spots = [spot for spot in sorted(chars) if chars[spot] in _PLACES + "+"]
    osm = {spot: number for number, spot in enumerate(spots, 1)}
    spot_of = {chars[spot]: spot for spot in spots if chars[spot] != "+"}
    if len(spot_of) != sum(chars[spot] != "+" for spot in spots):
        raise ValueError("a place is drawn twice")
    tags = dict(tags or {})
    position = {spot: _place(spot, metres_per_char) for spot in spots}
    extract = Extract(source={"file": "drawn map"})
    for spot in spots:
        extract.add_node(osm[spot], *position[spot], tags.get(chars[spot], {}))
    lines = _drawn_lines(chars, spots)
    ways: list[tuple[list[Spot], Mapping[str, str]]] = []
    for key, way_tags in tags.items():
        if len(key) < 2:
            continue
        if missing := [place for place in key if place not in spot_of]:
            raise ValueError(f"way {key!r} goes through places that are not on the map: {missing}")
        chain = [spot_of[key[0]]]
        for a, b in itertools.pairwise(key):
            chain += _take(lines, spot_of[a], spot_of[b])[1:]
        ways.append((chain, way_tags))
    ways += [(chain, tags.get("*", FOOTWAY)) for chain in lines]
    for number, (chain, way_tags) in enumerate(ways, 101):
        places = [position[spot] for spot in chain]
        if chain[0] == chain[-1] and len(chain) > 3:
            ring = [([osm[spot] for spot in chain], places)]
            if not way_tags.get("highway"):
                extract.add_area(shapely.Polygon([(lon, lat) for lat, lon in places]), way_tags)
            if is_area(way_tags):
                extract.add_walkable_area({number: True}, ring, way_tags)
            if is_obstacle(way_tags):
                extract.add_obstacle(ring, way_tags)
        extract.add_way(number, [osm[spot] for spot in chain], places, way_tags)
    return extract, {place: osm[spot] for place, spot in spot_of.items()}


def _place(spot: Spot, metres_per_char: float) -> tuple[float, float]:
    lat, lon = from_local(spot[1] * metres_per_char, -spot[0] * metres_per_char, ORIGIN_LAT, ORIGIN_LON)
    return float(lat), float(lon)


def _take(lines: list[list[Spot]], start: Spot, end: Spot) -> list[Spot]:
    """The drawn line from `start` to `end`, out of the list; a straight one where none is drawn."""
    for chain in lines:
        if {start, end} == {chain[0], chain[-1]}:
            lines.remove(chain)
            return chain if chain[0] == start else chain[::-1]
    return [start, end]


def _drawn_lines(chars: Mapping[Spot, str], spots: list[Spot]) -> list[list[Spot]]:
    """The lines between places or junctions, each once, as the spots they pass."""
    neighbours = {spot: [end for d in _DIRECTIONS if (end := _follow(chars, spot, d))] for spot in spots}
    used = {spot for ends in neighbours.values() for spot in ends}
    loose = {spot for spot, char in chars.items() if char in _LINES} - _covered(neighbours)
    if loose:
        raise ValueError(f"lines that join no two places, at (row, column) {sorted(loose)}")
    bends = {spot for spot in used if chars[spot] == "+" and len(neighbours[spot]) == 2}
    lines: list[list[Spot]] = []
    for spot in spots:
        if spot in bends:
            continue
        for first in neighbours[spot]:
            chain = [spot, first]
            while chain[-1] in bends:
                chain.append(next(n for n in neighbours[chain[-1]] if n != chain[-2]))
            if chain[::-1] not in lines:
                lines.append(chain)
    return lines


def _follow(chars: Mapping[Spot, str], spot: Spot, direction: Spot) -> Spot | None:
    """The place, bend or junction at the other end of the line that leaves `spot` in `direction`."""
    r, c = spot[0] + direction[0], spot[1] + direction[1]
    drawn = False
    while (char := chars.get((r, c))) in _LINES and direction in _LINES[char]:
        drawn = True
        r, c = r + direction[0], c + direction[1]
    return (r, c) if drawn and char is not None and char not in _LINES else None


def _covered(neighbours: Mapping[Spot, list[Spot]]) -> set[Spot]:
    covered: set[Spot] = set()
    for spot, ends in neighbours.items():
        for end in ends:
            steps = max(abs(end[0] - spot[0]), abs(end[1] - spot[1]))
            dr, dc = (end[0] - spot[0]) // steps, (end[1] - spot[1]) // steps
            covered.update((spot[0] + dr * i, spot[1] + dc * i) for i in range(1, steps))
    return covered
