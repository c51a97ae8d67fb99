"""The icons of sights and stops, each a few simple shapes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import shapely

from gateway.map.shapes import arc, area, box, disc, line, union


def _temple() -> Any:
    roof = area((7.5, 1.2), (14, 5.2), (1, 5.2))
    columns = [box(x, 6.2, x + 1.7, 11.2) for x in (2.2, 5.1, 8.2, 11.1)]
    return union(roof, *columns, box(1.2, 12, 13.8, 13.7, 0.3))


def _cup() -> Any:
    body = area((2, 4.6), (11, 4.6), (10.2, 10.6), (2.8, 10.6), round_by=0.6)
    return union(
        body,
        arc(10.6, 7, 2.1, -80, 100),
        box(1.4, 12, 11.6, 13.3, 0.4),
        line((5, 1.4), (5, 3.1), width=1),
        line((8, 1.4), (8, 3.1), width=1),
    )


def _cone() -> Any:
    return union(area((4.2, 8.2), (10.8, 8.2), (7.5, 14.4)), disc(7.5, 4.2, 3.3) - box(0, 7, 15, 7.5))


def _loaf() -> Any:
    loaf = union(disc(4.4, 6.6, 3.2), disc(7.5, 6, 3.4), disc(10.6, 6.6, 3.2), box(2.2, 6.5, 12.8, 12.4, 0.6))
    cuts = [line((x, 4.8), (x - 1, 7.6), width=0.9) for x in (5.4, 8.2, 11)]
    return loaf - union(*cuts)


def _cutlery() -> Any:
    fork = [line((x, 1.6), (x, 5.4), width=0.9) for x in (3, 4.6, 6.2)]
    knife = area((9.4, 1.2), (11.6, 2.4), (12, 8), (9.4, 8))
    return union(
        *fork,
        arc(4.6, 5, 1.6, 0, 180, 1.1),
        line((4.6, 6), (4.6, 13.6)),
        knife,
        line((10.2, 7), (10.2, 13.6)),
    )


def _glass() -> Any:
    return union(
        area((2, 1.8), (13, 1.8), (7.5, 8.4)), line((7.5, 7), (7.5, 12.8)), box(4.4, 12.4, 10.6, 13.7, 0.4)
    )


def _picture() -> Any:
    frame = box(1.2, 2.2, 13.8, 12.8, 0.6) - box(2.7, 3.7, 12.3, 11.3)
    return union(
        frame,
        area((3.4, 10.7), (6.4, 6), (8.4, 8.6), (9.6, 7.4), (11.7, 10.7), round_by=0.1),
        disc(9.7, 5.6, 0.9),
    )


def _palette() -> Any:
    holes = [disc(4.6, 6.4, 1), disc(7.4, 4.4, 1), disc(10.4, 5.6, 1), disc(10, 10.3, 1.5)]
    return shapely.affinity.scale(disc(7.5, 7.5, 6.2), 1, 0.88) - union(*holes)


def _eye() -> Any:
    lens = disc(7.5, 12.2, 8) & disc(7.5, 2.8, 8)
    return (lens - disc(7.5, 7.5, 2.5)) | disc(7.5, 7.5, 1.4)


def _paw() -> Any:
    toes = [disc(2.9, 6.6, 1.5), disc(5.7, 3.4, 1.6), disc(9.3, 3.4, 1.6), disc(12.1, 6.6, 1.5)]
    return union(area((7.5, 6.4), (11.4, 10.6), (10, 13.4), (5, 13.4), (3.6, 10.6), round_by=1.1), *toes)


def _tower() -> Any:
    teeth = [box(x, 1.6, x + 2.2, 4) for x in (2.2, 6.4, 10.6)]
    return union(box(2.2, 3.6, 12.8, 6), box(3.4, 5.6, 11.6, 13.6), *teeth) - (
        box(6.2, 9.4, 8.8, 13.7) | disc(7.5, 9.4, 1.3)
    )


def _obelisk() -> Any:
    return union(
        area((7.5, 0.8), (9, 3), (9.6, 10.6), (5.4, 10.6), (6, 3), round_by=0.1),
        box(3.4, 11.4, 11.6, 13.8, 0.3),
    )


def _ruin() -> Any:
    return union(
        area((2.4, 3), (4.6, 1.6), (5.4, 3.6), (5.4, 11), (2.4, 11), round_by=0.1),
        area((9.2, 6.2), (10.4, 5), (12.6, 6.8), (12.6, 11), (9.2, 11), round_by=0.1),
        box(1.2, 12, 13.8, 13.7, 0.3),
    )


def _lighthouse() -> Any:
    return union(
        area((5.8, 5.4), (9.2, 5.4), (10.6, 13.8), (4.4, 13.8), round_by=0.1),
        box(6, 2.2, 9, 4.6, 0.4),
        line((10.4, 2.8), (13.2, 1.8), width=1),
        line((10.4, 4.2), (13.2, 5.2), width=1),
        line((4.6, 2.8), (1.8, 1.8), width=1),
        line((4.6, 4.2), (1.8, 5.2), width=1),
    )


def _mask() -> Any:
    face = area((2, 2), (13, 2), (13, 7), (7.5, 14), (2, 7), round_by=0.9)
    return face - union(disc(5.2, 5.4, 1.1), disc(9.8, 5.4, 1.1), arc(7.5, 7.6, 2.6, 25, 155, 1.2))


def _film() -> Any:
    holes = [box(x, y, x + 1.5, y + 1.6) for x in (2.4, 11.1) for y in (3.6, 6.7, 9.8)]
    return box(1.4, 2.2, 13.6, 12.8, 0.6) - union(*holes, box(5.2, 4, 9.8, 7, 0.2), box(5.2, 8, 9.8, 11, 0.2))


def _spire() -> Any:
    return union(
        area((7.5, 0.8), (9.6, 5.6), (5.4, 5.6), round_by=0.1),
        box(5.6, 5.2, 9.4, 13.6),
        area((9, 8.6), (13.4, 8.6), (13.4, 13.6), (9, 13.6)),
        area((1.6, 8.6), (6, 8.6), (6, 13.6), (1.6, 13.6)),
    ) - union(box(6.7, 10.6, 8.3, 13.7), disc(7.5, 10.6, 0.8))


def _star() -> Any:
    points = []
    for corner in range(10):
        radius, angle = (6.6, 2.9)[corner % 2], math.pi * (corner / 5 - 0.5)
        points.append((7.5 + radius * math.cos(angle), 7.9 + radius * math.sin(angle)))
    return area(*points)


def _train() -> Any:
    body = box(3, 1.4, 12, 11.2, 1.8) - union(
        box(4.4, 3.4, 10.6, 6.8, 0.4), disc(5.3, 9, 0.9), disc(9.7, 9, 0.9)
    )
    return union(body, line((4.6, 11.6), (3.2, 13.8), width=1.3), line((10.4, 11.6), (11.8, 13.8), width=1.3))


def _bus() -> Any:
    body = box(2.6, 2, 12.4, 11.8, 1.4) - union(
        box(4, 4, 11, 7.6, 0.3), disc(5, 9.8, 0.9), disc(10, 9.8, 0.9)
    )
    return union(body, box(3.4, 11, 5.4, 13.6, 0.4), box(9.6, 11, 11.6, 13.6, 0.4))


def _tram() -> Any:
    return union(_train(), line((4.6, 0.8), (10.4, 0.8), width=1))


def _boat() -> Any:
    return union(
        area((1, 8.8), (14, 8.8), (11.6, 13.2), (3.4, 13.2)),
        box(4.4, 4.8, 10.6, 7.9, 0.4),
        box(8, 1.6, 9.8, 5.4),
    )


def _basin() -> Any:
    return union(
        box(1.8, 11.2, 13.2, 13.6, 0.8),
        line((7.5, 4), (7.5, 11.6), width=1.2),
        arc(5, 5, 2.6, 180, 350, 1.2),
        arc(10, 5, 2.6, 190, 360, 1.2),
        disc(2.6, 7.6, 0.9),
        disc(12.4, 7.6, 0.9),
    )


def _drop() -> Any:
    return union(disc(7.5, 9.4, 4.4), area((7.5, 0.9), (11.2, 7.2), (3.8, 7.2), round_by=0.1)) - arc(
        7.5, 9.4, 2.6, 80, 170, 1.1
    )


def _two_people() -> Any:
    man = union(disc(4, 2.8, 1.5), box(2.4, 4.9, 5.6, 9.6, 0.6), box(2.9, 9, 5.1, 13.8, 0.3))
    woman = union(
        disc(11, 2.8, 1.5), area((11, 4.4), (13.6, 10.4), (8.4, 10.4)), box(9.9, 10, 12.1, 13.8, 0.3)
    )
    return union(man, woman, box(7.15, 1.6, 7.85, 13.8))


def _seat() -> Any:
    return union(
        box(1.4, 3.6, 13.6, 5.3, 0.4),
        box(1.4, 7.2, 13.6, 9, 0.4),
        box(2.8, 4, 4.2, 13, 0.3),
        box(10.8, 4, 12.2, 13, 0.3),
    )


def _table() -> Any:
    return union(
        box(3, 3.6, 12, 5.2, 0.4),
        box(0.8, 8, 14.2, 9.4, 0.4),
        line((5.2, 4.6), (3.2, 13)),
        line((9.8, 4.6), (11.8, 13)),
    )


def _roof() -> Any:
    return union(
        area((7.5, 1.6), (14.2, 6.6), (0.8, 6.6)),
        box(2.6, 6, 4.1, 13.6),
        box(10.9, 6, 12.4, 13.6),
        box(5, 10, 10, 11.4, 0.3),
    )


def _swing() -> Any:
    return union(
        line((4, 1.8), (1.6, 13.4)),
        line((11, 1.8), (13.4, 13.4)),
        line((3.6, 2.2), (11.4, 2.2)),
        line((6, 2.4), (6, 10.4), width=0.9),
        line((9, 2.4), (9, 10.4), width=0.9),
        box(5, 9.8, 10, 11.4, 0.4),
    )


def _tree() -> Any:
    crown = [disc(7.5, 4.4, 3.4), disc(4.7, 7.2, 2.9), disc(10.3, 7.2, 2.9), box(4, 6.5, 11, 10)]
    return union(*crown, box(6.7, 9.6, 8.3, 14, 0.2))


def _conifer() -> Any:
    return union(
        area((7.5, 0.8), (11.4, 6), (3.6, 6)),
        area((7.5, 3.8), (12.6, 11), (2.4, 11)),
        box(6.7, 10.6, 8.3, 14),
    )


def _stone() -> Any:
    stone = union(disc(7.5, 5.4, 4), box(3.5, 5.4, 11.5, 12.4))
    return union(
        stone - union(box(6.9, 3.8, 8.1, 9.2), box(5.4, 5.2, 9.6, 6.4)), box(1.6, 12, 13.4, 13.6, 0.3)
    )


def _umbrella() -> Any:
    top = (disc(7.5, 8, 6.2) & box(0, 0, 15, 7.6)) - union(disc(4.4, 8.4, 1.4), disc(10.6, 8.4, 1.4))
    return union(top, line((7.5, 2), (7.5, 13), width=1.2), box(2, 12.6, 13, 13.9, 0.5))


def _anchor() -> Any:
    return union(
        disc(7.5, 2.9, 2) - disc(7.5, 2.9, 0.9),
        line((7.5, 4.6), (7.5, 13)),
        line((4.6, 6.4), (10.4, 6.4)),
        arc(7.5, 7.6, 5.4, 10, 170, 1.5),
    )


def _book() -> Any:
    left = area((1, 2.8), (6.9, 4.2), (6.9, 13), (1, 11.6), round_by=0.2)
    return union(left, area((14, 2.8), (8.1, 4.2), (8.1, 13), (14, 11.6), round_by=0.2))


def _hall() -> Any:
    return union(
        line((7.5, 0.8), (7.5, 6), width=1),
        area((7.8, 0.8), (12, 2.2), (7.8, 3.6), round_by=0.1),
        box(2, 6, 13, 13.7, 0.3) - union(box(4, 8, 5.6, 10), box(9.4, 8, 11, 10), box(6.6, 10, 8.4, 13.8)),
    )


def _gown() -> Any:
    return union(
        area((7.5, 2.4), (14.6, 6), (7.5, 9.6), (0.4, 6), round_by=0.1),
        area((3.4, 8.4), (7.5, 10.6), (11.6, 8.4), (11.6, 11.4), (7.5, 13.4), (3.4, 11.4), round_by=0.2),
        line((13.4, 6.4), (13.4, 11), width=1),
    )


def _plus() -> Any:
    return union(box(5.6, 1.6, 9.4, 13.4, 0.5), box(1.6, 5.6, 13.4, 9.4, 0.5))


def _hospital() -> Any:
    return box(1.4, 1.4, 13.6, 13.6, 1.6) - union(box(6.3, 3.8, 8.7, 11.2), box(3.8, 6.3, 11.2, 8.7))


def _basket() -> Any:
    return union(area((1.2, 6), (13.8, 6), (12, 13.4), (3, 13.4)), arc(7.5, 6.4, 4, 180, 360, 1.4)) - union(
        *(box(x, 7.8, x + 1, 11.8) for x in (4.6, 7, 9.4))
    )


def _bed() -> Any:
    return union(
        box(1, 3, 2.7, 12.8, 0.4),
        box(1.4, 9, 14, 11.2),
        box(12.4, 9, 14, 12.8, 0.4),
        disc(4.7, 6.6, 1.5),
        area((7, 5.4), (13.8, 6.8), (13.8, 8.4), (7, 8.4)),
    )


def _ball() -> Any:
    seams = union(
        line((1, 7.5), (14, 7.5), width=0.9),
        arc(1.2, 7.5, 4.4, -60, 60, 0.9),
        arc(13.8, 7.5, 4.4, 120, 240, 0.9),
    )
    return disc(7.5, 7.5, 6) - seams


def _steam() -> Any:
    rising = [line((x, 9.6), (x - 1, 7.6), (x + 0.6, 5.4), (x - 0.2, 3.2), width=1.3) for x in (4.2, 7.6, 11)]
    return union(*rising, box(1.6, 11.2, 13.4, 13.4, 0.8))


def _stall() -> Any:
    scallops = [disc(x, 6, 1.65) for x in (3, 6, 9, 12)]
    return union(
        area((2.8, 1.8), (12.2, 1.8), (13.7, 6), (1.3, 6)),
        *scallops,
        box(2, 6, 3.4, 13.6),
        box(11.6, 6, 13, 13.6),
        box(2, 10, 13, 11.6),
    )


def _peak() -> Any:
    return area((7.5, 2), (14, 13), (1, 13)) - area(
        (7.5, 5.4), (9.4, 8.6), (7.5, 7.8), (5.6, 8.6), round_by=0.05
    )


def _letter_m() -> Any:
    return disc(7.5, 7.5, 6.6) - line((4.4, 11), (4.4, 4.4), (7.5, 8.8), (10.6, 4.4), (10.6, 11), width=1.5)


def _bust() -> Any:
    return union(
        disc(7.5, 4, 2.5),
        area((7.5, 6), (11.4, 8.4), (10.4, 10.6), (4.6, 10.6), (3.6, 8.4), round_by=0.5),
        box(4.2, 11.4, 10.8, 13.8, 0.3),
    )


#: By the class of the map's layer of points; `dot` is for those that have none.
ICONS: dict[str, Callable[[], Any]] = {
    "artwork": _palette, "attraction": _star, "bakery": _loaf, "bar": _glass, "beach": _umbrella,
    "bench": _seat, "bus_stop": _bus, "cafe": _cup, "castle": _tower, "cemetery": _stone, "cinema": _film,
    "dot": lambda: disc(7.5, 7.5, 2.6), "ferry": _boat, "fountain": _basin, "gallery": _picture,
    "hospital": _hospital, "hotel": _bed, "ice_cream": _cone, "library": _book, "lighthouse": _lighthouse,
    "marina": _anchor, "market": _stall, "memorial": _bust, "monument": _obelisk, "museum": _temple,
    "park": _tree, "peak": _peak, "pharmacy": _plus, "picnic": _table, "playground": _swing,
    "restaurant": _cutlery, "ruins": _ruin, "sauna": _steam, "shelter": _roof, "sports": _ball,
    "station": _train, "subway": _letter_m, "supermarket": _basket, "theatre": _mask, "toilets": _two_people,
    "townhall": _hall, "tram_stop": _tram, "university": _gown, "viewpoint": _eye, "water": _drop,
    "wood": _conifer, "worship": _spire, "zoo": _paw,
}  # fmt: skip
