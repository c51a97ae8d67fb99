"""Compiles every kernel of a worker before the first message: the broker does not wait for a compiler."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from geo.graph import Graph
from geo.network import Network, OnlyNetwork
from geo.routing.costs import static_costs
from models.bytes_column import BytesColumn
from models.records import MIN_WALKERS, CellObservation, Fix, RouteRequest, encode
from models.trips.walker_state import WalkerState
from models.trips.walking import Walking
from models.world.crowd import Crowd
from streams.kafka.topics import DEVICE_TOPICS
from streams.transport.record_batches import decode_records


def warm_up(graph: Graph) -> None:
    """Send one walker on a loop through the very code that will run, and change the world once."""
    network = Network(graph, static_costs(graph))
    walking = Walking(0, OnlyNetwork(network), WalkerState(1, (0,), DEVICE_TOPICS))
    lat, lon = float(graph.shape_lat[0]), float(graph.shape_lon[0])
    ts = 1_700_000_000.0
    request = RouteRequest(device="warm", request="r", ts=ts, kind="loop", lat=lat, lon=lon, length_m=1000.0)
    walking.take_request(b"warm", request, 0, 0)
    fixes = [encode(Fix(device="warm", ts=ts + i, lat=lat, lon=lon, accuracy_m=5.0)) for i in range(3)]
    walking.take_fixes(_fetched(fixes), np.arange(3))
    walking.changed_features()
    closed = network.costs.closed.copy()
    closed[walking.state.route_edges(0)[-1:]] = True
    walking.change_world(0, Network(graph, replace(network.costs, version=1, closed=closed)))
    packed = walking.state.pack(np.zeros(1, np.int64), np.zeros((1, len(DEVICE_TOPICS)), np.int64), [])
    WalkerState(1, (0,), DEVICE_TOPICS).load("0", packed)
    _warm_up_crowd(ts)


def _fetched(values: list[bytes]) -> BytesColumn:
    """These values as they come out of a fetch response."""
    batch = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1,
        batch_size=1 << 20,
    )  # fmt: skip
    for offset, value in enumerate(values):
        batch.append(offset, timestamp=0, key=b"warm", value=value, headers=[])
    records = decode_records(bytes(batch.build()), 0, check_crc=False)
    assert records is not None
    return records.values


def _warm_up_crowd(ts: float) -> None:
    crowd = Crowd()
    n = MIN_WALKERS
    crowd.fold(
        [
            CellObservation(
                cell="891126d3303ffff", ts=ts, edges=["1/2/3"], walkers=list(range(n)), edge=[0] * n,
                end_ts=[ts] * n, walked_m=[10.0] * n, seconds=[8.0] * n, expected_s=[8.0] * n,
            )
        ]
    )  # fmt: skip
    crowd.changed(ts + 60.0)
