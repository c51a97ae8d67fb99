"""The colours of the base map, by day and by night."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Palette:
    """One set of colours; greens and paths stand out, streets and houses step back."""

    land: str
    water: str
    water_edge: str
    park: str
    wood: str
    grass: str
    allotments: str
    cemetery: str
    pitch: str
    playground: str
    wetland: str
    beach: str
    rock: str
    square: str
    industrial: str
    building: str
    building_edge: str
    tree: str
    street: str
    street_edge: str
    main_street: str
    main_street_edge: str
    motorway: str
    motorway_edge: str
    service: str
    pedestrian: str
    pedestrian_edge: str
    path: str
    path_edge: str
    pavement: str
    steps: str
    cycleway: str
    rail: str
    text: str
    text_soft: str
    text_edge: str
    text_water: str
    text_green: str
    food: str
    culture: str
    transport: str
    useful: str


LIGHT = Palette(
    land="#f7f3eb",
    water="#b3d6e3",
    water_edge="#9cc6d6",
    park="#cfe6b7",
    wood="#b9d9a0",
    grass="#dbebc7",
    allotments="#dce8c3",
    cemetery="#d2dfc4",
    pitch="#c6e0b9",
    playground="#e0ecc4",
    wetland="#cfe3d4",
    beach="#f6e8bf",
    rock="#e2dcd1",
    square="#f3e6d3",
    industrial="#f0ebe2",
    building="#e8e0d3",
    building_edge="#d9cfbf",
    tree="#9cc47f",
    street="#ffffff",
    street_edge="#e2d9c9",
    main_street="#fdf4dc",
    main_street_edge="#e6d7b2",
    motorway="#f6dfb8",
    motorway_edge="#dfc08a",
    service="#fdfbf7",
    pedestrian="#f9e7d3",
    pedestrian_edge="#ead2b8",
    path="#b4804f",
    path_edge="#fdf8ef",
    pavement="#dcc3a9",
    steps="#b0602f",
    cycleway="#b7b0c4",
    rail="#c6beb3",
    text="#4f483f",
    text_soft="#857b6e",
    text_edge="#fbf8f2",
    text_water="#4b7f97",
    text_green="#477335",
    food="#b0612c",
    culture="#86558f",
    transport="#4c6f92",
    useful="#3f7f94",
)

DARK = Palette(
    land="#1f2122",
    water="#17323f",
    water_edge="#224655",
    park="#253a26",
    wood="#213522",
    grass="#26332a",
    allotments="#28342a",
    cemetery="#2a342d",
    pitch="#29402f",
    playground="#2d3d2c",
    wetland="#1f3433",
    beach="#3d382a",
    rock="#2c2d2d",
    square="#2e2b28",
    industrial="#242526",
    building="#292b2c",
    building_edge="#37383a",
    tree="#38573a",
    street="#3c3f42",
    street_edge="#191b1c",
    main_street="#47443c",
    main_street_edge="#191b1c",
    motorway="#574c39",
    motorway_edge="#191b1c",
    service="#2f3133",
    pedestrian="#453b33",
    pedestrian_edge="#2a2521",
    path="#b98a60",
    path_edge="#1b1d1d",
    pavement="#5a4c40",
    steps="#c98f5f",
    cycleway="#514e5d",
    rail="#4a4a4c",
    text="#d9d3c7",
    text_soft="#9d968a",
    text_edge="#1a1c1c",
    text_water="#76a9bf",
    text_green="#93bd82",
    food="#dd9a66",
    culture="#c193ca",
    transport="#8fb0d0",
    useful="#7dbdd1",
)
PALETTES = {"light": LIGHT, "dark": DARK}
