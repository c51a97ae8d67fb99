"""GPX files: one trace a <trk>, its segments one after the other."""

from __future__ import annotations

from xml.etree import ElementTree

from geo.errors import BadInput
from streams.traces.trace import Trace, TraceBuilder

_FIELDS = {
    "time": "ts", "accuracy": "accuracy", "hacc": "accuracy",
    "speed": "speed", "course": "bearing", "bearing": "bearing",
}  # fmt: skip


def _local(tag: str) -> str:
    """A tag without its namespace: GPX 1.0, 1.1 and the many extensions differ in nothing else."""
    return tag.rsplit("}", 1)[-1].lower()


def read_gpx(data: bytes, file: str, name: str) -> list[Trace]:
    """The tracks of a GPX document, and its routes when it has no track; raises BadInput if it is not XML."""
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise BadInput(f"{file} is not readable as XML: {error}") from error
    if _local(root.tag) != "gpx":
        raise BadInput(f"{file} is XML with root <{_local(root.tag)}>, not GPX")
    for container, point in (("trk", "trkpt"), ("rte", "rtept")):
        found = [child for child in root if _local(child.tag) == container]
        if found:
            return [
                _read_track(track, point, name if len(found) == 1 else f"{name}-{index + 1}")
                for index, track in enumerate(found)
            ]
    return []


def _read_track(track: ElementTree.Element, point: str, name: str) -> Trace:
    builder = TraceBuilder(name)
    points = (element for element in track.iter() if _local(element.tag) == point)
    for index, element in enumerate(points):
        row: dict[str, object] = {"lat": element.get("lat"), "lon": element.get("lon")}
        # speed and the like may sit in the point itself (GPX 1.0) or deep in its extensions (1.1)
        for child in element.iter():
            quantity = _FIELDS.get(_local(child.tag))
            if quantity is not None and child.text is not None:
                row.setdefault(quantity, child.text)
        builder.add(f"point {index + 1}", row)
    return builder.build()
