import pytest

from geo.osm.foot_access import CLASS_CODE, ROAD_CLASSES, node_stops, way_access


def tags(text: str) -> dict[str, str]:
    """ "highway=path foot=no" as tags."""
    return dict(pair.split("=", 1) for pair in text.split())


@pytest.mark.parametrize(
    ("text", "road_class"),
    [
        ("highway=footway", "footway"),
        ("highway=footway footway=sidewalk", "sidewalk"),
        ("highway=footway footway=crossing", "crossing"),
        ("highway=footway footway=link", "footway"),
        ("highway=path", "path"),
        ("highway=pedestrian area=yes", "pedestrian"),
        ("highway=steps", "steps"),
        ("highway=steps conveying=yes", "escalator"),
        ("highway=steps conveying=no", "steps"),
        ("highway=corridor indoor=yes", "corridor"),
        ("highway=living_street", "living_street"),
        ("highway=residential access=destination", "residential"),
        ("highway=service service=driveway", "service"),
        ("highway=track", "track"),
        ("highway=primary", "primary"),
        ("highway=primary_link", "primary"),
        ("highway=primary sidewalk=both", "primary"),
        ("highway=residential sidewalk=separate", "residential"),
        ("highway=service access=private foot=yes", "service"),
        ("highway=service access=no foot=designated", "service"),
        ("highway=service access=private foot=permissive", "service"),
        ("highway=service motor_vehicle=no", "service"),
        ("highway=residential vehicle=no", "residential"),
        ("highway=pedestrian access=delivery", "pedestrian"),  # Rua de Santa Catarina in Porto
        ("highway=cycleway foot=yes", "cycleway"),
        ("highway=cycleway foot=designated segregated=yes", "cycleway"),
        ("highway=cycleway sidewalk=right", "cycleway"),
        ("highway=bridleway foot=yes", "bridleway"),
        ("highway=trunk foot=yes", "trunk"),
        ("highway=trunk sidewalk=right", "trunk"),
        ("highway=busway foot=yes", "service"),
        ("highway=platform", "platform"),
        ("railway=platform", "platform"),
        ("public_transport=platform", "platform"),
        ("man_made=pier", "pier"),
        ("route=ferry foot=yes", "ferry"),
        ("route=ferry foot=designated motor_vehicle=no", "ferry"),
    ],
)
def test_people_may_walk_here_both_ways(text: str, road_class: str) -> None:
    assert way_access(tags(text)) == (True, True, road_class)


@pytest.mark.parametrize(
    "text",
    [
        "highway=motorway", "highway=motorway_link", "highway=trunk", "highway=trunk access=yes",
        "highway=primary motorroad=yes", "highway=cycleway", "highway=bridleway", "highway=busway",
        "highway=construction", "highway=proposed", "highway=raceway", "highway=services",
        "highway=footway foot=no", "highway=path foot=private", "highway=service access=private",
        "highway=service access=no", "highway=track access=forestry", "highway=pedestrian access=private",
        "highway=pedestrian foot=delivery", "highway=service access=delivery", "highway=path access=military",
        "highway=primary foot=use_sidepath", "highway=primary sidewalk=separate",
        "highway=secondary sidewalk:both=separate", "highway=footway access=permissive foot=no",
        "railway=platform access=no", "man_made=pier access=private", "route=ferry", "route=ferry foot=no",
        "route=bus", "railway=rail", "waterway=river", "building=yes", "",
    ],
)  # fmt: skip
def test_people_may_not_walk_here(text: str) -> None:
    access = way_access(tags(text))
    assert not access.forward
    assert not access.backward


@pytest.mark.parametrize(
    ("text", "forward", "backward"),
    [
        ("highway=residential oneway=yes", True, True),  # about vehicles
        ("highway=path oneway=yes", True, True),  # about bicycles
        ("highway=footway oneway=yes", True, False),
        ("highway=steps oneway=-1", False, True),
        ("highway=footway oneway=no", True, True),
        ("highway=path oneway:foot=yes", True, False),
        ("highway=residential oneway:foot=-1", False, True),
        ("highway=footway oneway=yes oneway:foot=no", True, True),
        ("highway=steps conveying=forward", True, False),
        ("highway=steps conveying=backward", False, True),
        ("highway=steps conveying=reversible", True, True),
        ("highway=steps conveying=yes oneway=yes", True, False),
        ("highway=footway foot:backward=no", True, False),
        ("highway=footway foot:forward=no", False, True),
    ],
)
def test_directions(text: str, forward: bool, backward: bool) -> None:
    assert way_access(tags(text))[:2] == (forward, backward)


@pytest.mark.parametrize(
    ("text", "stops"),
    [
        ("barrier=fence", True), ("barrier=wall", True), ("barrier=hedge", True),
        ("barrier=fence foot=yes", False), ("barrier=gate", False), ("barrier=gate access=private", True),
        ("barrier=gate access=no foot=yes", False), ("barrier=gate locked=yes", True),
        ("barrier=lift_gate access=private foot=permissive", False), ("barrier=kissing_gate", False),
        ("barrier=stile", False), ("barrier=bollard", False), ("barrier=cycle_barrier", False),
        ("barrier=kerb", False), ("barrier=block", False), ("barrier=turnstile", False),
        ("barrier=bollard foot=no", True), ("barrier=bollard vehicle=no", False), ("barrier=no", False),
        ("highway=crossing", False), ("access=private", False), ("", False),
    ],
)  # fmt: skip
def test_nodes_that_stop_people(text: str, stops: bool) -> None:
    assert node_stops(tags(text)) is stops


def test_every_class_has_its_own_code_that_fits_a_byte() -> None:
    assert len(CLASS_CODE) == len(ROAD_CLASSES) < 256
    # these codes are in files on disk: new classes go to the end
    assert ROAD_CLASSES[:5] == ("footway", "sidewalk", "crossing", "path", "pedestrian")
    assert ROAD_CLASSES[-1] == "ferry"
