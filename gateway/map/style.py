"""The look of the base map: one declaration for all palettes, as a MapLibre style (style specification 8).

It names no glyphs: MapLibre GL JS then draws text with the fonts of the page, so none are fetched from
anywhere. The first name of a font stack says its weight only.
"""

from __future__ import annotations

from typing import Any

from gateway.map.palette import Palette
from geo.osm.basemap.schema import MAX_ZOOM, MIN_ZOOM

Layer = dict[str, Any]
Expression = list[Any]

_SOURCE = "map"
_CLASS: Expression = ["get", "class"]
_WIDE = ("motorway", "primary", "secondary", "tertiary", "street", "service", "pedestrian")
_NARROW = ("path", "footway", "steps", "cycleway")
_FOOD = ("cafe", "ice_cream", "bakery", "restaurant", "bar", "market", "supermarket")
_CULTURE = (
    "museum", "gallery", "viewpoint", "zoo", "castle", "monument", "ruins", "lighthouse", "theatre", "cinema",
    "worship", "attraction", "library", "artwork", "memorial", "townhall", "university",
)  # fmt: skip
_TRANSPORT = ("station", "ferry", "tram_stop", "subway", "bus_stop", "marina")
_GREEN = ("park", "wood", "cemetery", "beach", "playground", "picnic", "peak", "square")
_SEEN_AT_14 = (
    "museum",
    "viewpoint",
    "zoo",
    "castle",
    "lighthouse",
    "station",
    "park",
    "wood",
    "beach",
    "lake",
)
_SEEN_AT_15 = (
    *_SEEN_AT_14, "attraction", "theatre", "monument", "ferry", "cemetery", "townhall", "market", "library",
    "marina", "square", "subway", "peak",
)  # fmt: skip
_SEEN_AT_16 = (
    *_SEEN_AT_15, "gallery", "worship", "ruins", "university", "hospital", "fountain", "cafe", "ice_cream",
    "bakery", "cinema", "playground", "tram_stop", "water", "toilets",
)  # fmt: skip
_SEEN_AT_17 = (
    *_SEEN_AT_16, "restaurant", "bar", "hotel", "artwork", "memorial", "supermarket", "pharmacy", "picnic",
    "sports", "sauna", "shelter",
)  # fmt: skip


def map_style(name: str, palette: Palette, *, tiles: str, sprite: str, language: str = "") -> dict[str, Any]:
    """A whole style; `tiles` and `sprite` are addresses, `language` prefers names in it ("en", "ru")."""
    written = _Writing(palette, language)
    return {
        "version": 8,
        "name": f"Flaneur {name}",
        "sprite": sprite,
        "sources": {
            _SOURCE: {
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


def _layer(name: str, kind: str, source: str, **rest: Any) -> Layer:
    parts = {"filter": rest.pop("filter", None), "minzoom": rest.pop("minzoom", None)}
    found = {key: value for key, value in parts.items() if value is not None}
    return {"id": name, "type": kind, "source": _SOURCE, "source-layer": source, **found, **rest}


def _is(*classes: str) -> Expression:
    return ["in", _CLASS, ["literal", list(classes)]]


def _all(*conditions: Expression) -> Expression:
    return ["all", *conditions]


def _by_zoom(*stops: tuple[float, Any]) -> Expression:
    return ["interpolate", ["exponential", 1.5], ["zoom"], *(part for stop in stops for part in stop)]


def _by_class(values: dict[str, Any], otherwise: Any) -> Expression:
    return ["match", _CLASS, *(part for pair in values.items() for part in pair), otherwise]


# --- what lies on the ground --------------------------------------------------------------------------------


def _ground(palette: Palette) -> list[Layer]:
    fills = {
        name: getattr(palette, name)
        for name in (
            "park", "wood", "grass", "allotments", "cemetery", "pitch", "playground", "wetland", "beach",
            "rock", "square", "industrial",
        )
    }  # fmt: skip
    above_water = _is("pier", "land")
    return [
        _layer(
            "ground", "fill", "ground", filter=["!", above_water],
            paint={"fill-color": _by_class(fills, palette.land), "fill-antialias": True},
        ),
        _layer(
            "waterways", "line", "waterways", filter=["!", ["has", "tunnel"]],
            paint={
                "line-color": palette.water,
                "line-width": _by_zoom(
                    (11, _by_class({"river": 1.2}, 0.4)), (17, _by_class({"river": 9}, 3)),
                ),
            },
            layout={"line-cap": "round"},
        ),
        _layer("water", "fill", "water", paint={"fill-color": palette.water}),
        _layer(
            "shore", "line", "water", minzoom=13, filter=["!=", _CLASS, "sea"],
            paint={"line-color": palette.water_edge, "line-width": 0.8},
        ),
        _layer("piers", "fill", "ground", filter=above_water, paint={"fill-color": palette.land}),
        _layer(
            "trees", "circle", "trees", minzoom=15.5,
            paint={
                "circle-color": palette.tree, "circle-opacity": 0.75, "circle-pitch-alignment": "map",
                "circle-radius": ["interpolate", ["exponential", 2], ["zoom"], 15.5, 1.2, 20, 18],
            },
        ),
        _layer(
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
    return _by_zoom(
        *(
            (zoom, _by_class({name: px[stop] + more_px for name, px in _STREET_PX.items()}, 0.5 + more_px))
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
    order = {name: -rank for rank, name in enumerate(_WIDE)}
    joined = {"line-join": "round", "line-cap": "round", "line-sort-key": _by_class(order, -9)}
    butt = {**joined, "line-cap": "butt"}
    fill = {"line-color": _by_class(fills, palette.street), "line-width": _street_width()}
    edge = {"line-color": _by_class(edges, palette.street_edge), "line-width": _street_width(1.6)}
    under, over = ["has", "tunnel"], ["has", "bridge"]
    level = _all(["!", under], ["!", over])
    return [
        _layer(
            "tunnels", "line", "roads", minzoom=12, filter=_all(under, _is(*_WIDE)), layout=butt,
            paint={"line-color": palette.street_edge, "line-width": _street_width(), "line-opacity": 0.4},
        ),
        _layer(
            "rails", "line", "rails", filter=["!", under], layout={"line-join": "round"},
            paint={
                "line-color": palette.rail,
                "line-width": _by_zoom((12, 0.6), (15, _by_class({"tram": 0.7}, 1.4)), (18, 2.4)),
                "line-opacity": ["case", ["has", "minor"], 0.5, 1],
            },
        ),
        _layer("street-edges", "line", "roads", filter=_all(level, _is(*_WIDE)), layout=butt, paint=edge),
        _layer("streets", "line", "roads", filter=_all(level, _is(*_WIDE)), layout=joined, paint=fill),
        _layer("bridge-edges", "line", "roads", filter=_all(over, _is(*_WIDE)), layout=butt, paint=edge),
        _layer("bridges", "line", "roads", filter=_all(over, _is(*_WIDE)), layout=joined, paint=fill),
    ]  # fmt: skip


# --- paths: what this map is for ----------------------------------------------------------------------------


def _paths(palette: Palette) -> list[Layer]:
    beside = ["has", "beside"]
    no_stub: Expression = ["step", ["zoom"], ["!", ["has", "stub"]], 16.8, True]
    open_air = _all(["!", ["has", "tunnel"]], ["!", beside], no_stub)
    walk = _all(open_air, _is("path", "footway", "pier"))
    width = _by_zoom((13, 0.7), (15, 1.3), (17, 2.6), (19, 5))
    edge = _by_zoom((13, 1.6), (15, 2.9), (17, 5.2), (19, 9))
    round_ = {"line-join": "round", "line-cap": "round"}
    faint = ["case", ["has", "private"], 0.35, 1]
    return [
        _layer(
            "pavements", "line", "roads", minzoom=15.5, filter=_all(beside, _is("footway", "path")),
            layout=round_, paint={"line-color": palette.pavement, "line-width": _by_zoom((15, 0.6), (19, 3))},
        ),
        _layer(
            "cycleways", "line", "roads", minzoom=14, filter=_all(open_air, _is("cycleway")), layout=round_,
            paint={"line-color": palette.cycleway, "line-width": width},
        ),
        _layer(
            "path-edges", "line", "roads", minzoom=13, filter=walk, layout=round_,
            paint={"line-color": palette.path_edge, "line-width": edge, "line-opacity": 0.7},
        ),
        _layer(
            "paths", "line", "roads", minzoom=13, filter=walk, layout=round_,
            paint={"line-color": palette.path, "line-width": width, "line-opacity": faint},
        ),
        _layer(
            "subways", "line", "roads", minzoom=14, filter=_all(["has", "tunnel"], _is(*_NARROW)),
            paint={
                "line-color": palette.path, "line-width": width, "line-opacity": 0.5,
                "line-dasharray": [2, 1.5],
            },
        ),
        _layer(
            "step-edges", "line", "roads", minzoom=14, filter=_all(open_air, _is("steps")),
            paint={"line-color": palette.path_edge, "line-width": _by_zoom((14, 1.8), (17, 6.5), (19, 11))},
        ),
        _layer(
            "steps", "line", "roads", minzoom=14, filter=_all(open_air, _is("steps")),
            paint={
                "line-color": palette.steps, "line-width": _by_zoom((14, 1.2), (17, 4.6), (19, 8)),
                "line-dasharray": [0.35, 0.3],
            },
        ),
        _layer(
            "ferries", "line", "roads", filter=_is("ferry"),
            paint={"line-color": palette.text_water, "line-width": 1, "line-dasharray": [3, 3],
                   "line-opacity": 0.6},
        ),
    ]  # fmt: skip


# --- what is written ----------------------------------------------------------------------------------------


class _Writing:
    """Names and icons, in one palette and language."""

    def __init__(self, palette: Palette, language: str) -> None:
        self._palette = palette
        local: Expression = ["get", "name"]
        self._local = local
        self._name = ["coalesce", ["get", f"name_{language}"], local] if language else local

    def layers(self) -> list[Layer]:
        return [self._waters(), self._pois(), self._streets(), *self._places()]

    def _paint(self, color: Any, edge_px: float = 1.4) -> dict[str, Any]:
        return {
            "text-color": color, "text-halo-color": self._palette.text_edge, "text-halo-width": edge_px,
            "text-halo-blur": 0.4,
        }  # fmt: skip

    def _streets(self) -> Layer:
        """Names of streets as their signs have them."""
        order = {name: rank for rank, name in enumerate((*_WIDE, *_NARROW))}
        return _layer(
            "street-names", "symbol", "roads", minzoom=14,
            filter=_all(["has", "name"], ["!", ["has", "tunnel"]]),
            layout={
                "symbol-placement": "line", "symbol-spacing": 320, "text-field": self._local,
                "text-font": ["Medium", "system-ui", "sans-serif"],
                "text-size": _by_zoom(
                    (14, _by_class({"primary": 11, "secondary": 11}, 9.5)),
                    (18, _by_class({"primary": 15, "secondary": 15}, 13.5)),
                ),
                "symbol-sort-key": _by_class(order, 20), "text-max-angle": 35, "text-padding": 2,
            },
            paint=self._paint(_by_class({"pedestrian": self._palette.text, "path": self._palette.path,
                                         "footway": self._palette.path}, self._palette.text_soft)),
        )  # fmt: skip

    def _waters(self) -> Layer:
        return _layer(
            "water-names", "symbol", "waterways", minzoom=13, filter=["has", "name"],
            layout={
                "symbol-placement": "line", "text-field": self._name, "text-size": 12,
                "text-font": ["Italic", "system-ui", "sans-serif"], "text-letter-spacing": 0.08,
            },
            paint=self._paint(self._palette.text_water),
        )  # fmt: skip

    def _pois(self) -> Layer:
        palette, name = self._palette, self._name
        ranks = {kind: rank for rank, kind in enumerate(_SEEN_AT_17)}
        colors = dict.fromkeys(_FOOD, palette.food) | dict.fromkeys(_CULTURE, palette.culture)
        colors |= dict.fromkeys(_TRANSPORT, palette.transport) | dict.fromkeys(_GREEN, palette.text_green)
        colors["lake"] = palette.text_water
        color = _by_class(colors, palette.useful)
        only_written = _is("square", "lake")
        shown: Expression = ["step", ["zoom"], _is(*_SEEN_AT_14)]
        shown += [14.8, _is(*_SEEN_AT_15), 15.8, _is(*_SEEN_AT_16), 16.8, _is(*_SEEN_AT_17), 17.6, True]
        return _layer(
            "pois", "symbol", "pois", minzoom=13.5, filter=shown,
            layout={
                "icon-image": ["case", only_written, "", ["coalesce", ["image", _CLASS], ["image", "dot"]]],
                "icon-size": _by_zoom((14, 0.85), (18, 1.15)),
                "text-field": ["step", ["zoom"], ["case", _is(*_SEEN_AT_15), name, ""], 16.5, name],
                "text-font": ["Medium", "system-ui", "sans-serif"],
                "text-size": _by_zoom((14, 10.5), (18, 12.5)),
                "text-anchor": ["case", only_written, "center", "top"],
                "text-offset": ["case", only_written, ["literal", [0, 0]], ["literal", [0, 0.75]]],
                "text-max-width": 8, "text-optional": True, "text-padding": 3,
                "symbol-sort-key": _by_class(ranks, 99),
            },
            paint={
                **self._paint(color), "icon-color": color, "icon-halo-color": palette.text_edge,
                "icon-halo-width": 1.3,
            },
        )  # fmt: skip

    def _places(self) -> list[Layer]:
        common: dict[str, Any] = {"text-field": self._name, "text-max-width": 7, "text-padding": 6}
        quarter = {
            **common, "text-font": ["Medium", "system-ui", "sans-serif"], "text-size": 12,
            "text-letter-spacing": 0.06,
        }  # fmt: skip
        town = {
            **common, "text-font": ["Semibold", "system-ui", "sans-serif"],
            "text-size": _by_zoom((10, _by_class({"city": 16}, 12)), (15, _by_class({"city": 24}, 17))),
        }  # fmt: skip
        return [
            {
                **_layer(
                    "quarters", "symbol", "places", minzoom=12.5, filter=_is("suburb", "quarter", "island"),
                    layout=quarter, paint=self._paint(self._palette.text_soft, 1.8),
                ),
                "maxzoom": 15.6,
            },
            {
                **_layer(
                    "towns", "symbol", "places", filter=_is("city", "town", "village"), layout=town,
                    paint=self._paint(self._palette.text, 2),
                ),
                "maxzoom": 14.5,
            },
        ]  # fmt: skip
