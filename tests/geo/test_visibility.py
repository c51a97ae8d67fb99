"""Lines across open spaces against a naive twin: every corner joined with every corner it sees."""

import itertools
import math

import numpy as np
import pytest
import shapely

from geo.osm.visibility import MAX_DETOUR, MIN_DETOUR_M, OpenSpace, crossing_lines

NOWHERE = (math.nan, math.nan)


def space(shell, holes=(), blocks=(), doors=()):
    """An open space of rings given as lists of points; `doors` are points of them, or others inside."""
    polygon = shapely.Polygon(shell, holes)
    xy, before, after, door = [], [], [], []
    for number, ring in enumerate([shell, *holes, *blocks]):
        ring = list(ring)
        if shapely.LinearRing(ring).is_ccw == (number > 0):
            ring.reverse()
        for i, (x, y) in enumerate(ring):
            xy.append((x, y))
            before.append(ring[i - 1])
            after.append(ring[(i + 1) % len(ring)])
            door.append((x, y) in doors)
    for point in doors:
        if point not in xy:
            xy.append(point)
            before.append(NOWHERE)
            after.append(NOWHERE)
            door.append(True)
    blocked = shapely.union_all([shapely.Polygon(block).buffer(-0.05) for block in blocks])
    return OpenSpace(
        polygon, blocked if blocks else None, np.array(xy, float), np.array(door),
        np.array(before, float), np.array(after, float),
    )  # fmt: skip


def naive_distances(open_space):
    """Shortest ways between all points, over all pairs that see each other."""
    free = open_space.polygon.buffer(1e-6)
    if open_space.blocked is not None:
        free = free.difference(open_space.blocked)
    count = len(open_space.xy)
    away = [[0.0 if i == j else math.inf for j in range(count)] for i in range(count)]
    for i, j in itertools.combinations(range(count), 2):
        a, b = open_space.xy[i], open_space.xy[j]
        if free.covers(shapely.LineString([a, b])):
            away[i][j] = away[j][i] = math.dist(a, b)
    return _close(away)


def _close(away):
    for k, i, j in itertools.product(range(len(away)), repeat=3):
        away[i][j] = min(away[i][j], away[i][k] + away[k][j])
    return away


def walked_distances(open_space, lines, known=()):
    count = len(open_space.xy)
    away = [[0.0 if i == j else math.inf for j in range(count)] for i in range(count)]
    for a, b in lines:
        away[a][b] = away[b][a] = math.dist(open_space.xy[a], open_space.xy[b])
    for a, b, metres in known:
        away[a][b] = away[b][a] = min(away[a][b], metres)
    return _close(away)


SQUARE = [(0, 0), (40, 0), (40, 40), (0, 40)]


def ends(open_space, lines):
    points = [tuple(map(float, point)) for point in open_space.xy]
    return {frozenset((points[a], points[b])) for a, b in lines}


def test_a_square_is_crossed_from_door_to_door():
    yard = space(SQUARE, doors=[(0, 0), (40, 40), (40, 0)])
    assert ends(yard, crossing_lines(yard, [])) == {
        frozenset({(0, 0), (40, 40)}), frozenset({(0, 0), (40, 0)}), frozenset({(40, 0), (40, 40)}),
    }  # fmt: skip
    sides = [(0, 1, 40.0), (1, 2, 40.0)]
    assert ends(yard, crossing_lines(yard, sides)) == {frozenset({(0, 0), (40, 40)})}


def test_one_door_needs_no_lines():
    yard = space(SQUARE, doors=[(0, 0)])
    assert crossing_lines(yard, []) == []


def test_ways_bend_at_the_corner_of_an_l():
    corner = space([(0, 0), (40, 0), (40, 10), (10, 10), (10, 40), (0, 40)], doors=[(40, 10), (0, 40)])
    assert ends(corner, crossing_lines(corner, [])) == {
        frozenset({(40, 10), (10, 10)}), frozenset({(10, 10), (0, 40)}),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["hole", "house"])
def test_ways_go_round_what_stands_in_the_middle(kind):
    block = [(10, 5), (30, 5), (30, 30), (10, 30)]
    yard = space(
        SQUARE,
        holes=[block] if kind == "hole" else [],
        blocks=[block] if kind == "house" else [],
        doors=[(0.0, 10.0), (40.0, 10.0)],
    )
    assert ends(yard, crossing_lines(yard, [])) == {
        frozenset({(0.0, 10.0), (10.0, 5.0)}), frozenset({(10.0, 5.0), (30.0, 5.0)}),
        frozenset({(30.0, 5.0), (40.0, 10.0)}),
    }  # fmt: skip


def test_a_house_from_wall_to_wall_parts_a_square():
    yard = space(SQUARE, blocks=[[(-5, 15), (45, 15), (45, 25), (-5, 25)]], doors=[(0, 0), (0, 40)])
    assert crossing_lines(yard, []) == []


def test_many_doors_do_not_explode():
    ring = [(50 * math.cos(a), 50 * math.sin(a)) for a in np.linspace(0, 2 * math.pi, 60, endpoint=False)]
    plaza = space(ring, doors=ring)
    lines = crossing_lines(plaza, [])
    assert len(lines) < 60 * 59 / 2 / 3


def random_space(seed):
    """A star-shaped outline with blocks in it, some of them holes, and doors anywhere on the rings."""
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * math.pi, rng.integers(5, 12)))
    if np.diff([*angles, angles[0] + 2 * math.pi]).max() > 3:
        return random_space(seed + 100_000)
    radii = rng.uniform(30, 60, len(angles))
    shell = [(float(r * math.cos(a)), float(r * math.sin(a))) for r, a in zip(radii, angles, strict=True)]
    inside = shapely.Polygon(shell).buffer(-1)
    holes, blocks = [], []
    for _ in range(rng.integers(0, 5)):
        x, y, w, h = rng.uniform(-40, 40), rng.uniform(-40, 40), rng.uniform(3, 20), rng.uniform(3, 20)
        block = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
        box = shapely.Polygon(block)
        if any(shapely.Polygon(other).distance(box) < 1 for other in holes + blocks):
            continue
        if rng.random() < 0.5 and inside.covers(box):
            holes.append(block)
        elif rng.random() < 0.8:
            blocks.append(block)
    corners = [*shell, *itertools.chain(*holes)]
    doors = [corners[i] for i in rng.choice(len(corners), min(len(corners), 6), replace=False)]
    inner = (float(rng.uniform(-20, 20)), float(rng.uniform(-20, 20)))
    solid = shapely.union_all([shapely.Polygon(b).buffer(0.5) for b in holes + blocks])
    if inside.covers(shapely.Point(inner)) and not solid.covers(shapely.Point(inner)):
        doors.append(inner)
    return space(shell, holes, blocks, doors)


def test_lines_across_against_the_naive_twin():
    bends = 0
    for seed in range(40):
        yard = random_space(seed)
        rng = np.random.default_rng(seed)
        count = len(yard.xy)
        known = [
            (int(a), int(b), float(math.dist(yard.xy[a], yard.xy[b]) * rng.uniform(1, 2)))
            for a, b in rng.integers(0, count, (int(rng.integers(0, 4)), 2)) if a != b
        ]  # fmt: skip
        lines = crossing_lines(yard, known)
        free = yard.polygon.buffer(0.06)
        for a, b in lines:
            line = shapely.LineString([yard.xy[a], yard.xy[b]])
            assert free.covers(line), seed
            assert yard.blocked is None or not yard.blocked.intersects(line), seed
            bends += not (yard.door[a] and yard.door[b])
        shortest, walked = naive_distances(yard), walked_distances(yard, lines, known)
        for a, b in itertools.combinations(np.flatnonzero(yard.door).tolist(), 2):
            direct = shortest[a][b]
            assert walked[a][b] <= max(MAX_DETOUR * direct, direct + MIN_DETOUR_M) + 1e-6, (seed, a, b)
            if not known and math.isfinite(direct):
                assert walked[a][b] >= direct - 0.2, (seed, a, b)
    assert bends > 50
