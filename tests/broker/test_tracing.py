"""A trace goes from the client's request through gateway, Kafka and worker to the update that it leads to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from bench.rig.collector import Collected, Collector
from streams.settings import Settings
from tests.broker.deployment import Worker, wait_for
from tests.broker.drawn import City
from tests.broker.gateways import Device, GatewayProcess
from tests.broker.test_gateway_trips import Stream, fixes

WITHIN_S = 30.0
CLIENTS_TRACE = "0af7651916cd43dd8448eb211c80319c"
CLIENTS_SPAN = "b7ad6b7169203331"
TRACEPARENT = f"00-{CLIENTS_TRACE}-{CLIENTS_SPAN}-01"

GATEWAY, WORKER = "flaneur-gateway", "flaneur-worker"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as one:
        yield one


@contextmanager
def deployed(settings: Settings, city: City, folder: Path) -> Iterator[GatewayProcess]:
    mine = replace(settings, graph_dir=str(city.folder))
    worker, gateway = Worker(mine, folder).start(), GatewayProcess(mine, folder).start()
    try:
        worker.wait_ready()
        yield gateway.wait_ready()
    finally:
        codes = gateway.stop(), worker.stop()
    assert codes == (0, 0), gateway.tail() + worker.tail()


def of_trace(collector: Collector, trace_id: str, wanted: set[tuple[str, str]]) -> dict[str, Collected]:
    """The spans of a trace by name, once all that are wanted have come."""

    def found() -> list[Collected]:
        return [span for span in collector.spans if span.trace_id == trace_id]

    wait_for(
        lambda: wanted <= {(span.service, span.name) for span in found()},
        WITHIN_S,
        lambda: f"{wanted - {(s.service, s.name) for s in found()}} is missing in {collector.spans}",
    )
    return {span.name: span for span in found()}


def test_one_trace_from_the_request_to_the_update(
    settings: Settings, city: City, tmp_path: Path, collector: Collector
) -> None:
    traced = replace(settings, trace_sample_ratio=1.0, trace_endpoint=collector.endpoint)
    with deployed(traced, city, tmp_path) as gateway:
        device = Device(gateway)

        async def walk() -> None:
            async with aiohttp.ClientSession() as session, Stream(device, session) as stream:
                await stream.send({"seq": 0})
                await stream.read("ack")
                (lat, lon), (dest_lat, dest_lon) = city.places["A"], city.places["D"]
                body = {"kind": "to", "lat": lat, "lon": lon, "dest_lat": dest_lat, "dest_lon": dest_lon}
                asked = await asyncio.to_thread(
                    device.ask, "POST", "/v1/routes", body, traceparent=TRACEPARENT
                )
                assert asked.status == 202
                assert (await stream.read("update"))["update"]["reason"] == "requested"
                walked = fixes(city, "ABFJ", time.time())
                fresh = f"00-{'c' * 32}-{CLIENTS_SPAN}-01"
                await stream.send({"seq": 1, "fixes": walked, "traceparent": fresh})
                assert (await stream.read("update"))["update"]["reason"] == "off_route"

        asyncio.run(walk())
        request = of_trace(
            collector,
            CLIENTS_TRACE,
            {
                (GATEWAY, "POST /v1/routes"),
                (GATEWAY, "route-requests publish"),
                (WORKER, "route-requests process"),
                (WORKER, "search"),
                (WORKER, "checkpoint ahead"),
                (WORKER, "route-updates publish"),
                (GATEWAY, "route-updates hand on"),
            },
        )
        walk_spans = of_trace(
            collector,
            "c" * 32,
            {
                (GATEWAY, "WS /v1/stream"),
                (GATEWAY, "gps-fixes publish"),
                (WORKER, "gps-fixes process"),
                *((WORKER, step) for step in ("match", "decide", "search", "checkpoint ahead")),
                (WORKER, "route-updates publish"),
                (GATEWAY, "route-updates hand on"),
            },
        )
    chain = [
        "POST /v1/routes", "route-requests publish", "route-requests process", "route-updates publish",
        "route-updates hand on",
    ]  # fmt: skip
    parents = [CLIENTS_SPAN, *(request[name].span_id for name in chain[:-1])]
    assert [request[name].parent_id for name in chain] == parents
    assert request["search"].parent_id == request["route-requests process"].span_id
    for spans in (request, walk_spans):
        assert all(span.start_ns <= span.end_ns for span in spans.values())
        block = next(span for name, span in spans.items() if name.endswith("process"))
        inside = [span for span in spans.values() if span.parent_id == block.span_id]
        assert all(block.start_ns <= span.start_ns <= span.end_ns <= block.end_ns + 1_000 for span in inside)
    told = repr([span.attributes for span in collector.spans]) + repr([s.name for s in collector.spans])
    places = [f"{value:.4f}" for place in city.places.values() for value in place]
    assert not [one for one in (device.id, device.token, *places) if one in told]
