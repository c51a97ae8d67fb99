"""What workers tell of the world, features and feeds: sums, bounded, and never where anybody is."""

from __future__ import annotations

import numpy as np
import pytest
from prometheus_client import REGISTRY, generate_latest

from geo.cities import open_cities
from models.features import WALKER_FEATURES
from models.records import EdgeCondition, WeatherReport, encode
from models.trips.trip import ACTIVE
from models.trips.walker_state import WalkerState
from models.world.condition_table import ConditionTable
from streams.kafka.topics import DEVICE_TOPICS, WEATHER_REPORTS
from streams.telemetry.scrape import Samples, read_samples
from streams.transport.block import Block
from streams.worker.condition_shard import MOST_FEEDS, OTHER, ConditionShard
from streams.worker.feature_counts import count_condition_features, count_walker_features
from streams.worker.world_gauges import WorldGauges
from tests.broker.drawn import T0, City, draw


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    return draw(tmp_path_factory.mktemp("city") / "drawn")


def told() -> Samples:
    return read_samples(generate_latest(REGISTRY).decode())


def test_walkers_are_told_by_fives_and_at_the_middle_of_an_area(city: City) -> None:
    (here,) = open_cities(city.folder)
    gauges = WorldGauges()
    table = ConditionTable()
    table.costs(here.graph, T0, 1)
    gauges.tell(here, table, T0)

    def told_of(*walkers: int) -> float:
        states = []
        for count in walkers:
            state = WalkerState(1, (city.checksum,), DEVICE_TOPICS)
            for i in range(count + 6):
                state.slot(b"w%d" % i)
            state.trips["status"][: count + 3] = ACTIVE  # three have no trip, three are on no street
            state.trips["matched_edge"][count : count + 3] = -1
            state.city[: count + 6] = 0
            states.append(state)
        gauges.tell_walkers(states)
        return told().total("flaneur_city_walkers", city="drawn")

    assert [told_of(n) for n in (0, 4, 5, 9, 12)] == [0, 0, 5, 5, 10]
    assert told_of(3, 3) == 5  # of all partitions of the worker together
    assert told_of() == 0
    labels, _ = next(one for one in told().series["flaneur_city_walkers"] if one[0]["city"] == "drawn")
    assert float(labels["lat"]) == pytest.approx(float(here.graph.cell_lat.mean()), abs=1e-4)
    assert float(labels["lon"]) == pytest.approx(float(here.graph.cell_lon.mean()), abs=1e-4)


def test_what_is_in_force_is_told_by_city(city: City) -> None:
    (number,) = open_cities(city.folder)
    table = ConditionTable()
    key = f"{int(city.graph.cell_h3[0]):015x}"
    table.fold(EdgeCondition(key=key, ts=T0, version=1, expires=T0 + 60, rain_now_mmph=1.5))
    table.costs(city.graph, T0, 1)
    gauges = WorldGauges()
    gauges.tell(number, table, T0)
    assert told().values("flaneur_rain_mmph", city="drawn") == [1.5]
    assert told().values("flaneur_closures", city="drawn") == [0]
    weather = told().values("flaneur_coverage_ratio", city="drawn", of="weather")
    assert 0.0 < max(weather) <= 1.0
    gauges.tell(number, table, T0 + 60)
    assert told().values("flaneur_rain_mmph", city="drawn") == [0.0]


def test_unknown_values_are_counted_by_feature() -> None:
    name = WALKER_FEATURES[2].name
    before = told()
    values = np.zeros((4, len(WALKER_FEATURES)), np.float32)
    values[1:, 2] = np.nan
    count_walker_features(values)
    count_walker_features(values[:0])

    def rise(metric: str, **labels: str) -> float:
        return told().total(metric, **labels) - before.total(metric, **labels)

    assert rise("flaneur_feature_values_total", entity="walker") == 4 * len(WALKER_FEATURES)
    assert rise("flaneur_feature_nulls_total", entity="walker") == 3
    assert rise("flaneur_feature_nulls_total", entity="walker", feature=name) == 3
    assert told().values("flaneur_feature_known_timestamp_seconds", entity="walker", feature=name)[0] > 0


def test_conditions_count_by_what_they_are_of_and_not_when_they_end() -> None:
    before = told()
    cell = EdgeCondition(key="8928308280fffff", ts=T0, version=1, expires=T0, temp_c=3.0)
    edge = EdgeCondition(key="1/2/3", ts=T0, version=1, expires=T0, closed=True)
    crowd = EdgeCondition(key="crowd:1/2/3", ts=T0, version=1, expires=T0, walkers_300s=5)
    ended = EdgeCondition(key="1/2/3", ts=T0, version=2, expires=T0)
    count_condition_features([cell, edge, crowd, ended])

    def rise(metric: str, **labels: str) -> float:
        return told().total(metric, **labels) - before.total(metric, **labels)

    for entity, feature in (("cell", "temp_c"), ("edge", "closed"), ("crowd", "walkers_300s")):
        labels = {"entity": entity, "feature": feature}
        assert rise("flaneur_feature_values_total", **labels) == 1
        assert rise("flaneur_feature_nulls_total", **labels) == 0
    assert rise("flaneur_feature_nulls_total", entity="cell", feature="aqi") == 1
    assert rise("flaneur_feature_nulls_total", entity="edge", feature="speed_ratio") == 1


def test_each_feed_is_told_of_but_no_more_than_so_many(city: City) -> None:
    shard = ConditionShard(open_cities(city.folder))
    lat, lon = city.places["A"]
    values = [
        encode(WeatherReport(source=f"feed-{i % (MOST_FEEDS + 9)}#event-{i}", ts=T0 + i, lat=lat, lon=lon))
        for i in range(2 * (MOST_FEEDS + 9))
    ]
    n = len(values)
    broker_ms = [1_700_000_000_000 + i for i in range(n)]
    shard.process(Block.of(WEATHER_REPORTS, 0, list(range(n)), [None] * n, list(values), broker_ms))
    feeds = {
        labels["feed"]: value
        for labels, value in told().series["flaneur_feed_reports_total"]
        if labels["topic"] == WEATHER_REPORTS
    }
    assert feeds.pop(OTHER) == 18
    assert len(feeds) == MOST_FEEDS
    assert set(feeds.values()) == {2}
    newest = told().values("flaneur_feed_newest_timestamp_seconds", topic=WEATHER_REPORTS, feed="feed-0")
    assert newest == [broker_ms[-1] / 1000.0]
