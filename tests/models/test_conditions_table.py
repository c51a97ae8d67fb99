"""From conditions to costs, and how dark it is."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from geo.graph import Rule, edge_id
from geo.routing.costs import COLUMN, DYNAMIC_FACTORS, changed_edges, static_costs
from models.records import EdgeCondition
from models.world.conditions import ConditionTable, darkness, solar_elevation_deg
from tests.geo.asciimap import graph_from_ascii

GRAPH, AT = graph_from_ascii(
    """
    A----------B----------C
               |
               D
    """
)
NOON = datetime(2024, 6, 1, 10, 0, tzinfo=UTC).timestamp()
KEY = edge_id(GRAPH, 0)
CELL = f"{int(GRAPH.cell_h3[0]):015x}"


def condition(key=KEY, version=1, expires=NOON + 100.0, **features):
    return EdgeCondition(key=key, ts=NOON, version=version, expires=expires, **features)


def table_of(*conditions):
    table = ConditionTable()
    for one in conditions:
        table.fold(one)
    return table


def factor(costs, name, edge=0):
    return float(costs.factor_rows()[edge, COLUMN[name]])


def test_nothing_known_is_a_calm_dry_day():
    costs = ConditionTable().costs(GRAPH, NOON, 7)
    assert costs.version == 7
    assert np.array_equal(costs.factor_rows(), static_costs(GRAPH).factor_rows())
    assert not costs.closed.any()


def test_closed_both_ways_until_it_expires():
    table = table_of(condition(closed=True, severity=10.0))
    costs = table.costs(GRAPH, NOON, 1)
    assert sorted(np.flatnonzero(costs.closed)) == sorted([0, int(GRAPH.reverse[0])])
    assert not table.costs(GRAPH, NOON + 100.0, 2).closed.any()
    assert table.next_expiry(NOON) == NOON + 100.0
    assert table.next_expiry(NOON + 100.0) is None


def test_what_has_opening_hours_is_shut_by_the_hour_with_no_report_at_all():
    hours = np.full(GRAPH.edge_count, -1, np.int32)
    hours[[0, GRAPH.reverse[0]]] = 0
    rule = Rule(("open 08:00-20:00",), 55.7, 12.6, "Europe/Copenhagen")
    table, park = ConditionTable(), replace(GRAPH, hours=hours, rules=(rule,))
    assert not table.costs(park, NOON, 1).closed.any()
    night = table.costs(park, NOON + 12 * 3600.0, 2)
    assert sorted(np.flatnonzero(night.closed)) == sorted([0, int(GRAPH.reverse[0])])
    assert not table.costs(park, NOON + 24 * 3600.0, 3).closed.any()


def test_latest_version_wins_whatever_comes_last():
    table = table_of(condition(version=5, closed=True))
    assert table.fold(condition(version=4)) is False
    assert table.costs(GRAPH, NOON, 1).closed.any()
    assert table.fold(condition(version=6)) is True
    assert not table.costs(GRAPH, NOON, 1).closed.any()
    assert len(table) == 1


def test_tombstone_forgets():
    rainy = condition(CELL, rain_now_mmph=4.0)
    table = table_of(condition(closed=True), rainy)
    table.costs(GRAPH, NOON, 1)
    table.forget(KEY)
    table.forget(CELL)
    table.forget("1/2/3")
    costs = table.costs(GRAPH, NOON, 2)
    assert not costs.closed.any()
    assert factor(costs, "rain") == 0.0
    assert table.get(CELL, NOON) is None
    table.fold(rainy)
    assert table.get(CELL, NOON) == rainy
    assert table.get(CELL, NOON + 100.0) is None


def test_speed_and_works_become_traffic():
    jam = table_of(condition(speed_mps=2.0, free_flow_mps=10.0, speed_ratio=0.2)).costs(GRAPH, NOON, 1)
    assert factor(jam, "traffic") == pytest.approx(0.8)
    assert factor(jam, "traffic", int(GRAPH.reverse[0])) == pytest.approx(0.8)
    works = table_of(condition(closed=False, severity=8.0)).costs(GRAPH, NOON, 1)
    assert factor(works, "traffic") == pytest.approx(0.4)


def test_weather_becomes_factors_of_its_cell():
    open_air = GRAPH.static_factors[0, COLUMN["unsheltered"]]
    costs = table_of(
        condition(CELL, rain_now_mmph=0.0, rain_1h_mmph=2.0, wind_mps=10.0, temp_c=31.0, cloud=0.0, aqi=60.0)
    ).costs(GRAPH, NOON, 1)
    edge = int(np.flatnonzero(GRAPH.cell == 0)[0])
    assert factor(costs, "rain", edge) == pytest.approx(0.5 * open_air)
    assert factor(costs, "wind", edge) == pytest.approx(0.5 * open_air)
    assert factor(costs, "heat", edge) == pytest.approx(0.5)
    assert factor(costs, "aqi", edge) == pytest.approx(0.5)


def test_sun_makes_it_hotter_and_clouds_do_not():
    sunny = table_of(condition(CELL, temp_c=26.0, cloud=0.0, uv=8.0)).costs(GRAPH, NOON, 1)
    cloudy = table_of(condition(CELL, temp_c=26.0, cloud=100.0, uv=8.0)).costs(GRAPH, NOON, 1)
    edge = int(np.flatnonzero(GRAPH.cell == 0)[0])
    assert factor(sunny, "heat", edge) == pytest.approx((26.0 + 5.0 - 24.0) / 14.0)
    assert factor(cloudy, "heat", edge) == pytest.approx(2.0 / 14.0)


def test_keys_of_elsewhere_are_kept_but_cost_nothing():
    costs = table_of(condition("1/2/3", closed=True), condition("891126d3b6fffff", rain_now_mmph=9.0)).costs(
        GRAPH, NOON, 1
    )
    assert np.array_equal(costs.factor_rows(), static_costs(GRAPH).factor_rows())


def test_another_graph_takes_the_conditions_over():
    table = table_of(condition(closed=True))
    table.costs(GRAPH, NOON, 1)
    again, _ = graph_from_ascii("A----------B----------C\n           |\n           D")
    assert table.costs(again, NOON, 1).closed.any()


def test_only_what_changed_is_marked():
    table = table_of()
    before = table.costs(GRAPH, NOON, 1)
    table.fold(condition(closed=True))
    after = table.costs(GRAPH, NOON, 2)
    assert changed_edges(before, after).tolist() == sorted([0, int(GRAPH.reverse[0])])
    assert not len(changed_edges(after, table.costs(GRAPH, NOON, 3)))


def test_night_is_dark_where_there_are_no_lamps():
    midnight = datetime(2024, 1, 1, 0, 0, tzinfo=UTC).timestamp()
    costs = ConditionTable().costs(GRAPH, midnight, 1)
    assert costs.factor_rows()[:, COLUMN["dark"]] == pytest.approx(GRAPH.static_factors[:, COLUMN["unlit"]])


# Published sunrises and sunsets (centre of the sun at -0.833 degrees), and culminations.
@pytest.mark.parametrize(
    ("moment", "lat", "lon", "elevation"),
    [
        ((2024, 6, 21, 0, 54), 60.17, 24.94, -0.833),  # Helsinki, sunrise 03:54 summer time
        ((2024, 12, 21, 13, 12), 60.17, 24.94, -0.833),  # Helsinki, sunset 15:12
        ((2024, 6, 20, 12, 2), 51.48, 0.0, 90.0 - 51.48 + 23.44),  # Greenwich, noon of the solstice
        ((2024, 3, 20, 12, 7), 0.0, 0.0, 90.0),  # the equator at the equinox
        ((2024, 12, 21, 0, 0), 90.0, 0.0, -23.44),  # the pole in the polar night
    ],
)
def test_height_of_the_sun(moment, lat, lon, elevation):
    ts = datetime(*moment, tzinfo=UTC).timestamp()
    assert float(solar_elevation_deg(lat, lon, ts)) == pytest.approx(elevation, abs=0.6)


def test_darkness_grows_through_civil_twilight():
    day = datetime(2024, 12, 21, tzinfo=UTC).timestamp()
    hours = np.array([10.0, 13.0 + 25 / 60, 13.0 + 45 / 60, 15.0]) * 3600.0
    dark = [float(darkness(60.17, 24.94, day + s)) for s in hours]
    assert dark[0] == 0.0
    assert dark[-1] == 1.0
    assert 0.0 < dark[1] < dark[2] < 1.0


# crowds


def crowd_of(key, at_once, **more):
    return condition(key=f"crowd:{key}", walkers_at_once=at_once, walkers_300s=5, **more)


def street_m():
    once = GRAPH.reverse > np.arange(GRAPH.edge_count)
    return float(GRAPH.length_m[once].sum())


def test_a_crowded_cell_counts_by_its_walkers_for_every_hundred_metres_of_street():
    costs = table_of(crowd_of(CELL, 3.0 * street_m() / 100.0)).costs(GRAPH, NOON, 1)
    here = GRAPH.cell == 0
    assert factor(costs, "crowd") == pytest.approx((3.0 - 0.5) / 7.5, rel=1e-3) or not here.all()
    assert factor(costs, "rain") == 0.0


def test_a_crowded_stretch_goes_before_its_cell_and_counts_both_ways():
    length = float(GRAPH.length_m[0])
    table = table_of(crowd_of(CELL, 0.0), crowd_of(KEY, 8.0 * length / 100.0, pace_ratio=0.7))
    costs = table.costs(GRAPH, NOON, 1)
    other = next(e for e in range(GRAPH.edge_count) if e not in (0, GRAPH.reverse[0]))
    assert factor(costs, "crowd", 0) == pytest.approx(1.0)
    assert factor(costs, "crowd", int(GRAPH.reverse[0])) == pytest.approx(1.0)
    assert factor(costs, "crowd", other) == 0.0


def test_crowd_and_reports_of_one_place_do_not_disturb_each_other():
    table = table_of(
        condition(closed=True),
        crowd_of(KEY, 50.0),
        condition(key=CELL, rain_now_mmph=4.0),
        crowd_of(CELL, 50.0),
    )
    costs = table.costs(GRAPH, NOON, 1)
    assert costs.closed[0]
    assert factor(costs, "crowd") == 1.0
    assert costs.zone_values[0][list(DYNAMIC_FACTORS).index("rain")] == 1.0
    table.forget(f"crowd:{KEY}")
    table.forget(f"crowd:{CELL}")
    calm = table.costs(GRAPH, NOON, 2)
    assert calm.closed[0]
    assert factor(calm, "crowd") == 0.0
    assert not np.array_equal(calm.zone_values, static_costs(GRAPH).zone_values)


def test_a_crowd_expires():
    table = table_of(crowd_of(KEY, 50.0))
    assert factor(table.costs(GRAPH, NOON, 1), "crowd") == 1.0
    assert factor(table.costs(GRAPH, NOON + 100.0, 2), "crowd") == 0.0
