"""What is told on real streets: two walks that were drawn on the map and read for sense, word by word."""

from __future__ import annotations

from pathlib import Path

import osmium

from geo.guidance.maneuvers import leg_of
from geo.osm.importer import import_osm
from models.routes.guidance import instructions, texts_in
from tests.geo.walked import quickest

OSM = Path(__file__).parents[2] / "data" / "osm"


def told(city, start, end, language, tmp_path):
    (file,) = (OSM / city).glob("*.osm.pbf")
    graph = import_osm([cut(file, start, end, tmp_path / "cut.osm.pbf")])
    steps = leg_of(graph, quickest(graph, start, end), end).steps
    return [
        f"{told} ({step.length_m:.0f} m)"
        for told, step in zip(instructions(texts_in(language), graph, steps), steps, strict=True)
    ]


def cut(file, start, end, out):
    """An extract of the nodes around two places and of the ways between those: quick to import."""
    south, north = min(start[0], end[0]) - 0.002, max(start[0], end[0]) + 0.002
    west, east = min(start[1], end[1]) - 0.003, max(start[1], end[1]) + 0.003
    inside = set()
    with osmium.SimpleWriter(str(out)) as writer:
        for thing in osmium.FileProcessor(file):
            if thing.is_node() and south <= thing.lat <= north and west <= thing.lon <= east:
                inside.add(thing.id)
                writer.add_node(thing)
            elif thing.is_way() and sum(node.ref in inside for node in thing.nodes) >= 2:
                writer.add_way(thing)
    return out


def test_over_the_lakes_of_copenhagen(tmp_path):
    """Over a bridge, along streets that change their side and name, past a park."""
    assert told("copenhagen", (55.6867, 12.5626), (55.6926, 12.5870), "ru", tmp_path) == [
        "Идите на северо-восток по пешеходной дорожке (68 m)",
        "Поверните направо: Dronning Louises Bro (137 m)",
        "Держитесь левее: Dronning Louises Bro (36 m)",
        "Поверните налево: Søtorvet (54 m)",
        "Поверните направо: Gothersgade (243 m)",
        "Поверните налево: Øster Farimagsgade (451 m)",
        "Держитесь правее: Øster Farimagsgade (115 m)",
        "Поверните резко направо: Sølvgade (36 m)",
        "Поверните налево: Stockholmsgade (780 m)",
        "Поверните направо: Oslo Plads (113 m)",
        "Вы на месте: пункт назначения слева (0 m)",
    ]


def test_down_the_stairs_of_porto(tmp_path):
    """From the walls down 200 m of stairs to the bank of the Douro."""
    assert told("porto-centre", (41.14260, -8.60905), (41.13995, -8.60985), "en", tmp_path) == [
        "Head northwest on Largo Primeiro de Dezembro (33 m)",
        "Continue onto Rua de Santa Clara (38 m)",
        "Continue onto Escadas do Codeçal (65 m)",
        "Take the stairs: Escadas do Codeçal (200 m)",
        "Turn slightly right onto Avenida Gustavo Eiffel (40 m)",
        "Turn left and take the stairs (19 m)",
        "You have arrived: your destination is straight ahead (0 m)",
    ]
