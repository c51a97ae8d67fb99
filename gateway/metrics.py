"""What a gateway tells Prometheus; no label ever holds a device or a place."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

REQUESTS = Counter("flaneur_gateway_requests", "Requests answered", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "flaneur_gateway_request_seconds", "From a request to its answer", ["route"], buckets=_SECONDS
)
FIXES = Counter("flaneur_gateway_fixes", "Fixes that Kafka has acknowledged", ["format"])
FIXES_REFUSED = Counter("flaneur_gateway_fixes_refused", "Fixes refused at the edge", ["format"])
UPDATES = Counter("flaneur_gateway_updates", "Route updates taken in, each once")
SUBSCRIBERS = Gauge("flaneur_gateway_subscribers", "Connections that follow", ["kind"])
CUT_OFF = Counter("flaneur_gateway_cut_off", "Subscribers that read too slowly and were cut off")
UPDATE_AGE = Histogram(
    "flaneur_gateway_update_age_seconds",
    "From the broker's time of an update to handing it on",
    buckets=_SECONDS,
)
BROKER_TS = Gauge(
    "flaneur_gateway_broker_answered_timestamp_seconds", "When the broker was last asked and answered"
)
TRIPS = Gauge("flaneur_gateway_trips", "Trips that this process knows")
DEVICES = Gauge("flaneur_gateway_devices", "Devices that are registered")
# what appears only with its first event has not risen, as Prometheus sees it
for _form in ("fixes", "owntracks", "overland", "osmand", "stream"):
    for _counter in (FIXES, FIXES_REFUSED):
        _counter.labels(_form)
for _kind in ("websocket", "sse", "watch"):
    SUBSCRIBERS.labels(_kind)
PLANNERS_RESTARTED = Counter("flaneur_gateway_planners_restarted", "Planner processes that ended unasked")
