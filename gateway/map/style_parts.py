"""What all parts of a style are put together from: layers, and expressions of the style specification."""

from __future__ import annotations

from typing import Any

Layer = dict[str, Any]
Expression = list[Any]

SOURCE = "map"
CLASS: Expression = ["get", "class"]
#: classes of streets, the widest first, and of ways for people
WIDE = ("motorway", "primary", "secondary", "tertiary", "street", "service", "pedestrian")
NARROW = ("path", "footway", "steps", "cycleway")


def layer(name: str, kind: str, source: str, **rest: Any) -> Layer:
    """One layer of the map; `source` is the layer of the tiles that it draws."""
    parts = {"filter": rest.pop("filter", None), "minzoom": rest.pop("minzoom", None)}
    found = {key: value for key, value in parts.items() if value is not None}
    return {"id": name, "type": kind, "source": SOURCE, "source-layer": source, **found, **rest}


def of_class(*classes: str) -> Expression:
    """Features of one of these classes."""
    return ["in", CLASS, ["literal", list(classes)]]


def all_of(*conditions: Expression) -> Expression:
    """Features for which everything holds."""
    return ["all", *conditions]


def by_zoom(*stops: tuple[float, Any]) -> Expression:
    """A value that grows from zoom to zoom, between (zoom, value) pairs."""
    return ["interpolate", ["exponential", 1.5], ["zoom"], *(part for stop in stops for part in stop)]


def by_class(values: dict[str, Any], otherwise: Any) -> Expression:
    """A value by the class of the feature."""
    return ["match", CLASS, *(part for pair in values.items() for part in pair), otherwise]
