"""What a process tells Prometheus: declared once, counted per block and never per event."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import suppress
from wsgiref.simple_server import WSGIServer

from prometheus_client import Counter, Gauge, Histogram

from geo.errors import Unavailable
from models.records import REASONS, UPDATE_REASONS
from streams.kafka.topics import (
    CELL_TOPICS,
    CONDITIONS_TABLE,
    CROWD_TABLE,
    DEVICE_TOPICS,
    REPORT_TOPICS,
    WALKERS_TABLE,
)
from streams.settings import Settings
from streams.telemetry.block_histogram import BlockHistogram
from streams.telemetry.health import HEALTH, serve_http

_LATENCY_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_WORK_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

FIXES = Counter("flaneur_fixes", "Fixes taken in, each counted once, whatever became of it")
FIXES_LATE = Counter("flaneur_fixes_late", "Fixes older than their walker's watermark")
FIXES_DUPLICATE = Counter("flaneur_fixes_duplicate", "Fixes whose device and event time were seen before")
FIXES_OUT_OF_ORDER = Counter("flaneur_fixes_out_of_order", "Fixes that came late but within the grace")
DEAD_LETTERS = Counter(
    "flaneur_dead_letters", "Values put aside because they cannot be used", ["topic", "reason"]
)
MESSAGES = Counter("flaneur_messages", "Messages taken in", ["topic"])

BLOCKS = Counter("flaneur_blocks", "Blocks processed", ["topic"])
BLOCK_MESSAGES = Histogram(
    "flaneur_block_messages", "Messages in a block", buckets=(1, 4, 16, 64, 256, 1024, 4096, 8192, 16384)
)
BLOCK_SECONDS = Histogram("flaneur_block_seconds", "Processing of a block", buckets=_WORK_S)
KERNEL_SECONDS = Counter("flaneur_kernel_seconds", "Time spent in kernels and searches", ["kernel"])

FIX_AGE = Histogram(
    "flaneur_fix_age_seconds", "From the fix's own time to the end of its block", buckets=_LATENCY_S
)
BROKER_AGE = Histogram(
    "flaneur_broker_age_seconds",
    "From the broker's time of a message to the end of its block",
    buckets=_LATENCY_S,
)
ANSWER_AGE = BlockHistogram(
    "flaneur_answer_seconds",
    "From the time of a message of gps-fixes until it was processed and what followed was acknowledged",
    _LATENCY_S,
)
NEWEST_TS = Gauge(
    "flaneur_newest_message_timestamp_seconds", "Broker's time of the newest message processed", ["topic"]
)

MATCHED = Counter("flaneur_fixes_matched", "Fixes by what the matcher found", ["state"])
MATCH_DISTANCE = Gauge("flaneur_match_distance_m", "Mean distance of a block's matched fixes to their edge")
MATCH_PROBABILITY = Gauge("flaneur_match_probability", "Mean probability of a block's matches")

DECISIONS = Counter("flaneur_decisions", "Decisions by reason, before the search", ["reason"])
ROUTE_UPDATES = Counter("flaneur_route_updates", "Route updates sent", ["reason"])
REPLAN_FAILED = Counter("flaneur_replans_failed", "Searches that found no route", ["reason"])
REPLAN_GAIN = Histogram(
    "flaneur_replan_gain", "By which share the new way is better than what was left", ["reason"],
    buckets=(0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9, 1.0),
)  # fmt: skip
REROUTES_FALSE = Counter(
    "flaneur_reroutes_false",
    "Reroutes within a minute of which the walker was on what the new way leaves out of the old one",
)
SEARCH_SECONDS = Histogram(
    "flaneur_search_seconds", "From a decision until the update is made", ["reason"], buckets=_WORK_S
)
SETTLED_NODES = Counter("flaneur_search_settled_nodes", "Nodes settled by route searches")
WALKERS = Gauge("flaneur_walkers", "Walkers whose state this worker holds")
WALKERS_FORGOTTEN = Counter("flaneur_walkers_forgotten", "Walkers of whom nothing had come for too long")
ACTIVE_TRIPS = Gauge("flaneur_active_trips", "Trips under way in this worker")

PASSAGES_SENT = Counter("flaneur_passages", "Passages of walkers along edges, sent to cell-observations")
PASSAGES_FOLDED = Counter("flaneur_passages_folded", "Passages taken in from cell-observations, once each")
FORECAST_ERROR = Gauge(
    "flaneur_forecast_error", "Mean absolute error of the forecasts so far, in the unit of what is foreseen",
    ["of", "ahead"],
)  # fmt: skip
CITY_WALKERS = Gauge(
    "flaneur_city_walkers", "Walkers with a trip in an area of a city, rounded down to fives",
    ["city", "area", "lat", "lon"],
)  # fmt: skip
CITIES_OPEN = Gauge("flaneur_cities_open", "Cities whose graphs are open, because somebody walks there")
CONDITIONS_VERSION = Gauge("flaneur_conditions_version", "Version of the costs in use")
CONDITIONS_TS = Gauge("flaneur_conditions_timestamp_seconds", "Event time of the newest condition in use")
CONDITIONS_CURRENT_TS = Gauge(
    "flaneur_conditions_current_timestamp_seconds",
    "When the costs in use last contained every edge condition that the broker had",
)
CONDITIONS_SENT = Counter("flaneur_edge_conditions", "Edge conditions sent", ["kind"])
FEED_REPORTS = Counter(
    "flaneur_feed_reports", "Reports taken in, by the feed they come from", ["topic", "feed"]
)
FEED_TS = Gauge(
    "flaneur_feed_newest_timestamp_seconds", "Broker's time of a feed's newest report", ["topic", "feed"]
)
CLOSURES = Gauge("flaneur_closures", "Stretches that reports close now", ["city"])
WORKS = Gauge("flaneur_works", "Stretches with road works or an incident, and yet open", ["city"])
SLOW = Gauge("flaneur_slow_stretches", "Stretches with vehicles at less than half their free speed", ["city"])
RAIN_MMPH = Gauge("flaneur_rain_mmph", "Rain now where it rains hardest", ["city"])
RAINING = Gauge("flaneur_raining_cells", "Cells where it rains now", ["city"])
CELLS = Gauge("flaneur_cells", "Cells of a city", ["city"])
COVERAGE = Gauge(
    "flaneur_coverage_ratio", "Share of the cells in a coarse cell of which something is known",
    ["city", "cell", "lat", "lon", "of"],
)  # fmt: skip
WORLD_CHECK_SECONDS = Histogram(
    "flaneur_world_check_seconds", "Re-scoring of all live routes after a change", buckets=_WORK_S
)

CHECKPOINT_SECONDS = Histogram(
    "flaneur_checkpoint_seconds", "A checkpoint, delivery included", buckets=_WORK_S
)
CHECKPOINT_SLICE_SECONDS = Histogram(
    "flaneur_checkpoint_slice_seconds", "Packing of some buckets, in which nothing else runs", buckets=_WORK_S
)
CHECKPOINT_BYTES = Counter("flaneur_checkpoint_bytes", "Bytes written to changelogs")
CHECKPOINT_TS = Gauge(
    "flaneur_checkpoint_timestamp_seconds",
    "When a partition's newest checkpoint was delivered, or was found to contain everything",
    ["table", "partition"],
)
LAG_MESSAGES = Gauge("flaneur_consumer_lag_messages", "Messages not yet processed", ["topic", "partition"])
LAG_SECONDS = Gauge(
    "flaneur_consumer_lag_seconds",
    "For how long messages may have been waiting: since the newest that was processed, or since none did",
    ["topic", "partition"],
)
REBALANCES = Counter("flaneur_rebalances", "Assignments of partitions")
REBALANCE_PAUSE_SECONDS = Histogram(
    "flaneur_rebalance_pause_seconds",
    "From partitions being taken away to those given back being open",
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
PARTITIONS = Gauge("flaneur_assigned_partitions", "Partitions that this worker owns", ["table"])
PARTITIONS_ALL = Gauge("flaneur_partitions", "Partitions that all workers own together", ["table"])
HOLES_OPEN = Gauge("flaneur_holes_open", "Partitions with a hole that is not closed yet", ["topic"])
HOLES_FOUND = Counter("flaneur_holes_found", "Blocks that did not begin where the checkpoint ends", ["topic"])
HOLES_HEALED = Counter("flaneur_holes_healed", "Holes closed by seeking back", ["topic"])
OFFSETS_LOST = Counter("flaneur_offsets_lost", "Offsets that the broker no longer has", ["topic"])
CHECKPOINTS_FLAWED = Counter(
    "flaneur_checkpoints_flawed", "Partitions whose changelog was damaged or incomplete", ["table"]
)
MESSAGES_REBUILT = Counter(
    "flaneur_messages_rebuilt", "Messages read again for a checkpoint that was not whole", ["topic"]
)
RECOVERED_BUCKETS = Counter("flaneur_recovered_buckets", "Buckets taken from a changelog", ["table"])
BROKER_TS = Gauge("flaneur_broker_answered_timestamp_seconds", "When the broker was last asked and answered")
DISK_BYTES = Gauge("flaneur_disk_bytes", "Size of the disk that DATA_DIR is on", ["folder"])
DISK_FREE_BYTES = Gauge("flaneur_disk_free_bytes", "What is free of it", ["folder"])
ONLINE_STORE_ERRORS = Counter("flaneur_online_store_errors", "Failed writes to the online store")
ONLINE_STORE_KEYS = Counter("flaneur_online_store_keys", "Keys written to the online store", ["entity"])
ONLINE_STORE_WAITING = Gauge("flaneur_online_store_waiting", "Keys that wait for the online store")
ONLINE_STORE_SECONDS = Histogram(
    "flaneur_online_store_seconds", "Writing everything that had changed to the online store", buckets=_WORK_S
)
ONLINE_STORE_TS = Gauge(
    "flaneur_online_store_current_timestamp_seconds", "When the online store last contained everything"
)
FEATURE_VALUES = Counter(
    "flaneur_feature_values", "Values of a feature that were told, unknown ones too", ["entity", "feature"]
)
FEATURE_NULLS = Counter("flaneur_feature_nulls", "Of these, how many are unknown", ["entity", "feature"])
FEATURE_TS = Gauge(
    "flaneur_feature_known_timestamp_seconds", "When a value of it was last known", ["entity", "feature"]
)

# a counter that appears only with its first event has not risen, as Prometheus sees it: alerts would miss it
for _topic in (*DEVICE_TOPICS, *REPORT_TOPICS, *CELL_TOPICS):
    for _reason in (*REASONS, "internal_error"):
        DEAD_LETTERS.labels(_topic, _reason)
    for _counter in (HOLES_FOUND, HOLES_HEALED, OFFSETS_LOST, MESSAGES_REBUILT):
        _counter.labels(_topic)
for _table in (WALKERS_TABLE, CONDITIONS_TABLE, CROWD_TABLE):
    CHECKPOINTS_FLAWED.labels(_table)
for _reason in UPDATE_REASONS:
    for _by_reason in (DECISIONS, ROUTE_UPDATES, SEARCH_SECONDS):
        _by_reason.labels(_reason)
for _reason in ("world_changed", "better"):
    REPLAN_GAIN.labels(_reason)
for _reason in ("no_route", "no_candidate", "bad_request"):
    REPLAN_FAILED.labels(_reason)
for _kernel in ("parse", "match", "windows", "passages", "trips", "search", "rescore"):
    KERNEL_SECONDS.labels(_kernel)
for _kind in ("edge", "cell", "crowd"):
    CONDITIONS_SENT.labels(_kind)
for _entity in ("walker", "cell", "edge", "crowd"):
    ONLINE_STORE_KEYS.labels(_entity)
for _state in ("on_network", "off_network"):
    MATCHED.labels(_state)


def forget_partition(table: str, topics: Iterable[str], partition: int) -> None:
    """Tell nothing more of a partition that was handed over: its last lag would stand there for ever."""
    series = [
        (CHECKPOINT_TS, table),
        *((gauge, topic) for topic in topics for gauge in (LAG_MESSAGES, LAG_SECONDS)),
    ]
    for gauge, name in series:
        with suppress(KeyError):  # nothing was told of it yet
            gauge.remove(name, str(partition))


_servers: dict[int, WSGIServer] = {}


def serve(settings: Settings) -> int:
    """Serve this process's metrics and health, once; returns the port (METRICS_PORT may be 0).

    Raises Unavailable if the port is taken.
    """
    port = settings.metrics_port
    if port not in _servers:
        _watch_disk(settings.data_dir)
        try:
            _servers[port] = serve_http(settings.metrics_host, port, HEALTH)
        except OSError as error:
            raise Unavailable(
                f"metrics cannot be served at {settings.metrics_host}:{port}: {error.strerror};"
                f" is another worker running? Set METRICS_PORT"
            ) from error
    return int(_servers[port].server_port)


def _watch_disk(folder: str) -> None:
    """Tell of the disk that this folder is on, as it is whenever Prometheus asks; of none without a name."""
    if folder:
        DISK_BYTES.labels(folder).set_function(lambda: shutil.disk_usage(folder).total)
        DISK_FREE_BYTES.labels(folder).set_function(lambda: shutil.disk_usage(folder).free)
