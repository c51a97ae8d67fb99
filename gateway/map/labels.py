"""What is written on the base map, and the icons beside it: streets, waters, sights, quarters, towns."""

from __future__ import annotations

from typing import Any

from gateway.map.palette import Palette
from gateway.map.style_parts import (
    CLASS,
    NARROW,
    WIDE,
    Expression,
    Layer,
    all_of,
    by_class,
    by_zoom,
    layer,
    of_class,
)

_FOOD = ("cafe", "ice_cream", "bakery", "restaurant", "bar", "market", "supermarket")
_CULTURE = (
    "museum", "gallery", "viewpoint", "zoo", "castle", "monument", "ruins", "lighthouse", "theatre", "cinema",
    "worship", "attraction", "library", "artwork", "memorial", "townhall", "university",
)  # fmt: skip
_TRANSPORT = ("station", "ferry", "tram_stop", "subway", "bus_stop", "marina")
_GREEN = ("park", "wood", "cemetery", "beach", "playground", "picnic", "peak", "square")
# what people walk to, the more important before the names of streets; and what they need on the way
_SIGHTS = (
    "museum", "viewpoint", "zoo", "castle", "lighthouse", "station", "park", "wood", "beach", "lake",
)  # fmt: skip
_MORE_SIGHTS = (
    *_SIGHTS, "attraction", "theatre", "monument", "ferry", "cemetery", "townhall", "market", "marina",
    "square", "peak",
)  # fmt: skip
_OFTEN = (
    "subway", "library", "gallery", "worship", "ruins", "university", "hospital", "fountain", "cafe",
    "ice_cream", "bakery", "cinema", "playground", "tram_stop", "water", "toilets",
)  # fmt: skip
_SOMETIMES = (
    *_OFTEN, "restaurant", "bar", "hotel", "artwork", "memorial", "supermarket", "pharmacy", "picnic",
    "sports", "sauna", "shelter",
)  # fmt: skip


class Labels:
    """Names and icons, in one palette and language."""

    def __init__(self, palette: Palette, language: str) -> None:
        self._palette = palette
        local: Expression = ["get", "name"]
        self._local = local
        self._name = ["coalesce", ["get", f"name_{language}"], local] if language else local

    def layers(self) -> list[Layer]:
        return [self._waters(), self._services(), self._streets(), self._sights(), *self._places()]

    def _paint(self, color: Any, edge_px: float = 1.4) -> dict[str, Any]:
        return {
            "text-color": color, "text-halo-color": self._palette.text_edge, "text-halo-width": edge_px,
            "text-halo-blur": 0.4,
        }  # fmt: skip

    def _streets(self) -> Layer:
        """Names of streets as their signs have them."""
        order = {name: rank for rank, name in enumerate((*WIDE, *NARROW))}
        return layer(
            "street-names", "symbol", "roads", minzoom=14,
            filter=all_of(["has", "name"], ["!", ["has", "tunnel"]]),
            layout={
                "symbol-placement": "line", "symbol-spacing": 320, "text-field": self._local,
                "text-font": ["Medium", "system-ui", "sans-serif"],
                "text-size": by_zoom(
                    (14, by_class({"primary": 11, "secondary": 11}, 9.5)),
                    (18, by_class({"primary": 15, "secondary": 15}, 13.5)),
                ),
                "symbol-sort-key": by_class(order, 20), "text-max-angle": 35, "text-padding": 2,
            },
            paint=self._paint(by_class({"pedestrian": self._palette.text, "path": self._palette.path,
                                         "footway": self._palette.path}, self._palette.text_soft)),
        )  # fmt: skip

    def _waters(self) -> Layer:
        return layer(
            "water-names", "symbol", "waterways", minzoom=13, filter=["has", "name"],
            layout={
                "symbol-placement": "line", "text-field": self._name, "text-size": 12,
                "text-font": ["Italic", "system-ui", "sans-serif"], "text-letter-spacing": 0.08,
            },
            paint=self._paint(self._palette.text_water),
        )  # fmt: skip

    def _sights(self) -> Layer:
        shown: Expression = ["step", ["zoom"], of_class(*_SIGHTS), 14.8, of_class(*_MORE_SIGHTS)]
        return self._points("sights", 13.5, shown, self._name)

    def _services(self) -> Layer:
        often, sometimes, any_ = of_class(*_OFTEN), of_class(*_SOMETIMES), ["!", of_class(*_MORE_SIGHTS)]
        shown: Expression = ["step", ["zoom"], often, 16.8, sometimes, 17.6, any_]
        return self._points("services", 15.8, shown, ["step", ["zoom"], "", 16.5, self._name])

    def _points(self, name: str, from_zoom: float, shown: Expression, text: Expression) -> Layer:
        palette = self._palette
        ranks = {kind: rank for rank, kind in enumerate((*_MORE_SIGHTS, *_SOMETIMES))}
        colors = dict.fromkeys(_FOOD, palette.food) | dict.fromkeys(_CULTURE, palette.culture)
        colors |= dict.fromkeys(_TRANSPORT, palette.transport) | dict.fromkeys(_GREEN, palette.text_green)
        colors["lake"] = palette.text_water
        color = by_class(colors, palette.useful)
        only_written = of_class("square", "lake")
        return layer(
            name, "symbol", "pois", minzoom=from_zoom, filter=shown,
            layout={
                "icon-image": ["case", only_written, "", ["coalesce", ["image", CLASS], ["image", "dot"]]],
                "icon-size": by_zoom((14, 0.85), (18, 1.15)),
                "text-field": text,
                "text-font": ["Medium", "system-ui", "sans-serif"],
                "text-size": by_zoom((14, 10.5), (18, 12.5)),
                "text-anchor": ["case", only_written, "center", "top"],
                "text-offset": ["case", only_written, ["literal", [0, 0]], ["literal", [0, 0.75]]],
                "text-max-width": 8, "text-optional": True, "text-padding": 3,
                "symbol-sort-key": by_class(ranks, 99),
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
            "text-size": by_zoom((10, by_class({"city": 16}, 12)), (15, by_class({"city": 24}, 17))),
        }  # fmt: skip
        return [
            {
                **layer(
                    "quarters", "symbol", "places", minzoom=12.5,
                    filter=of_class("suburb", "quarter", "island"), layout=quarter,
                    paint=self._paint(self._palette.text_soft, 1.8),
                ),
                "maxzoom": 15.6,
            },
            {
                **layer(
                    "towns", "symbol", "places", filter=of_class("city", "town", "village"), layout=town,
                    paint=self._paint(self._palette.text, 2),
                ),
                "maxzoom": 14.5,
            },
        ]  # fmt: skip
