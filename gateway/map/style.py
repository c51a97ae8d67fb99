"""The look of the base map: one declaration for all palettes, as a MapLibre style (style specification 8).

It names no glyphs: MapLibre GL JS then draws text with the fonts of the page, so none are fetched from
anywhere. The first name of a font stack says its weight only.
"""

from __future__ import annotations

from typing import Any

from gateway.map.labels import Labels
from gateway.map.palette import Palette
from gateway.map.style_parts import (
    CLASS,
    NARROW,
    SOURCE,
    WIDE,
    Expression,
    Layer,
    all_of,
    by_class,
    by_zoom,
    layer,
    of_class,
)
from geo.osm.basemap.schema import MAX_ZOOM, MIN_ZOOM


def map_style(name: str, palette: Palette, *, tiles: str, sprite: str, language: str = "") -> dict[str, Any]:
    """A whole style; `tiles` and `sprite` are addresses, `language` prefers names in it ("en", "ru")."""
    written = Labels(palette, language)
    return {
        "version": 8,
        "name": f"Flaneur {name}",
        "sprite": sprite,
        "sources": {
            SOURCE: {
                "type": "vector", "tiles": [tiles], "minzoom": MIN_ZOOM, "maxzoom": MAX_ZOOM,
                "attribution": "© OpenStreetMap contributors",
            }
        },
        "layers": [
            {"id": "land", "type": "background", "paint": {"background-color": palette.land}},
            *_ground(palette),
            *_streets(palette),
            *_paths(palette),
            *written.layers(),
        ],
    }  # fmt: skip


# --- what lies on the ground --------------------------------------------------------------------------------


def _ground(palette: Palette) -> list[Layer]:
    fills = {
        name: getattr(palette, name)
        for name in (
            "park", "wood", "grass", "allotments", "cemetery", "pitch", "playground", "wetland", "beach",
            "rock", "square", "industrial",
        )
    }  # fmt: skip
    above_water = of_class("pier", "land")
    return [
        layer(
            "ground", "fill", "ground", filter=["!", above_water],
            paint={"fill-color": by_class(fills, palette.land), "fill-antialias": True},
        ),
        layer(
            "waterways", "line", "waterways", filter=["!", ["has", "tunnel"]],
            paint={
                "line-color": palette.water,
                "line-width": by_zoom(
                    (11, by_class({"river": 1.2}, 0.4)), (17, by_class({"river": 9}, 3)),
                ),
            },
            layout={"line-cap": "round"},
        ),
        layer("water", "fill", "water", paint={"fill-color": palette.water}),
        layer(
            "shore", "line", "water", minzoom=13, filter=["!=", CLASS, "sea"],
            paint={"line-color": palette.water_edge, "line-width": 0.8},
        ),
        layer("piers", "fill", "ground", filter=above_water, paint={"fill-color": palette.land}),
        layer(
            "trees", "circle", "trees", minzoom=15.5,
            paint={
                "circle-color": palette.tree, "circle-opacity": 0.75, "circle-pitch-alignment": "map",
                "circle-radius": ["interpolate", ["exponential", 2], ["zoom"], 15.5, 1.2, 20, 18],
            },
        ),
        layer(
            "buildings", "fill", "buildings", minzoom=13.5,
            paint={
                "fill-color": palette.building, "fill-outline-color": palette.building_edge,
                "fill-opacity": ["interpolate", ["linear"], ["zoom"], 13.5, 0, 14.5, 1],
            },
        ),
    ]  # fmt: skip


# --- streets and rails --------------------------------------------------------------------------------------

_STREET_PX = {  # at zooms 11, 14, 16, 18
    "motorway": (1.4, 4.0, 9.0, 22.0),
    "primary": (1.2, 3.6, 8.5, 21.0),
    "secondary": (0.9, 3.0, 7.5, 19.0),
    "tertiary": (0.6, 2.4, 6.5, 17.0),
    "street": (0.3, 1.4, 5.0, 14.0),
    "pedestrian": (0.3, 1.4, 4.6, 13.0),
    "service": (0.1, 0.6, 2.4, 7.5),
}


def _street_width(more_px: float = 0.0) -> Expression:
    return by_zoom(
        *(
            (zoom, by_class({name: px[stop] + more_px for name, px in _STREET_PX.items()}, 0.5 + more_px))
            for stop, zoom in enumerate((11, 14, 16, 18))
        )
    )


def _streets(palette: Palette) -> list[Layer]:
    fills = {
        "motorway": palette.motorway, "primary": palette.main_street, "secondary": palette.main_street,
        "service": palette.service, "pedestrian": palette.pedestrian,
    }  # fmt: skip
    edges = {
        "motorway": palette.motorway_edge, "primary": palette.main_street_edge,
        "secondary": palette.main_street_edge, "pedestrian": palette.pedestrian_edge,
    }  # fmt: skip
    order = {name: -rank for rank, name in enumerate(WIDE)}
    joined = {"line-join": "round", "line-cap": "round", "line-sort-key": by_class(order, -9)}
    butt = {**joined, "line-cap": "butt"}
    fill = {"line-color": by_class(fills, palette.street), "line-width": _street_width()}
    edge = {"line-color": by_class(edges, palette.street_edge), "line-width": _street_width(1.6)}
    streets, under, bridge = of_class(*WIDE), ["has", "tunnel"], ["has", "bridge"]
    level, over = all_of(["!", under], ["!", bridge], streets), all_of(bridge, streets)
    return [
        layer(
            "tunnels", "line", "roads", minzoom=12, filter=all_of(under, streets), layout=butt,
            paint={"line-color": palette.street_edge, "line-width": _street_width(), "line-opacity": 0.4},
        ),
        layer(
            "rails", "line", "rails", filter=["!", under], layout={"line-join": "round"},
            paint={
                "line-color": palette.rail,
                "line-width": by_zoom((12, 0.6), (15, by_class({"tram": 0.7}, 1.4)), (18, 2.4)),
                "line-opacity": ["case", ["has", "minor"], 0.5, 1],
            },
        ),
        layer("street-edges", "line", "roads", filter=level, layout=butt, paint=edge),
        layer("streets", "line", "roads", filter=level, layout=joined, paint=fill),
        layer("bridge-edges", "line", "roads", filter=over, layout=butt, paint=edge),
        layer("bridges", "line", "roads", filter=over, layout=joined, paint=fill),
    ]  # fmt: skip


# --- paths: what this map is for ----------------------------------------------------------------------------


def _paths(palette: Palette) -> list[Layer]:
    beside = ["has", "beside"]
    no_stub: Expression = ["step", ["zoom"], ["!", ["has", "stub"]], 16.8, True]
    open_air = all_of(["!", ["has", "tunnel"]], ["!", beside], no_stub)
    walk = all_of(open_air, of_class("path", "footway", "pier"))
    width = by_zoom((13, 0.7), (15, 1.3), (17, 2.6), (19, 5))
    edge = by_zoom((13, 1.6), (15, 2.9), (17, 5.2), (19, 9))
    round_ = {"line-join": "round", "line-cap": "round"}
    faint = ["case", ["has", "private"], 0.35, 1]
    return [
        layer(
            "pavements", "line", "roads", minzoom=15.5, filter=all_of(beside, of_class("footway", "path")),
            layout=round_, paint={"line-color": palette.pavement, "line-width": by_zoom((15, 0.6), (19, 3))},
        ),
        layer(
            "cycleways", "line", "roads", minzoom=14, filter=all_of(open_air, of_class("cycleway")),
            layout=round_, paint={"line-color": palette.cycleway, "line-width": width},
        ),
        layer(
            "path-edges", "line", "roads", minzoom=13, filter=walk, layout=round_,
            paint={"line-color": palette.path_edge, "line-width": edge, "line-opacity": 0.7},
        ),
        layer(
            "paths", "line", "roads", minzoom=13, filter=walk, layout=round_,
            paint={"line-color": palette.path, "line-width": width, "line-opacity": faint},
        ),
        layer(
            "subways", "line", "roads", minzoom=14, filter=all_of(["has", "tunnel"], of_class(*NARROW)),
            paint={
                "line-color": palette.path, "line-width": width, "line-opacity": 0.5,
                "line-dasharray": [2, 1.5],
            },
        ),
        layer(
            "step-edges", "line", "roads", minzoom=14, filter=all_of(open_air, of_class("steps")),
            paint={"line-color": palette.path_edge, "line-width": by_zoom((14, 1.8), (17, 6.5), (19, 11))},
        ),
        layer(
            "steps", "line", "roads", minzoom=14, filter=all_of(open_air, of_class("steps")),
            paint={
                "line-color": palette.steps, "line-width": by_zoom((14, 1.2), (17, 4.6), (19, 8)),
                "line-dasharray": [0.35, 0.3],
            },
        ),
        layer(
            "ferries", "line", "roads", filter=of_class("ferry"),
            paint={"line-color": palette.text_water, "line-width": 1, "line-dasharray": [3, 3],
                   "line-opacity": 0.6},
        ),
    ]  # fmt: skip
