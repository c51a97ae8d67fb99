"""Which requests are traced, and which messages of a block get spans."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import orjson
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from geo.errors import BadInput
from models.bytes_column import BytesColumn
from streams.kafka.topics import GPS_FIXES, ROUTE_UPDATES
from streams.settings import Settings
from streams.telemetry import logs, tracing
from streams.transport.block import Block
from streams.transport.trace_contexts import TraceContexts
from streams.worker.block_trace import MOST_LAPS, MOST_TRACED, BlockTrace
from streams.worker.delivery import Outgoing


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What is exported while tracing is on."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    return exporter


def traceparent(trace_id: int, flags: int = 1) -> str:
    return f"00-{trace_id:032x}-{7:016x}-{flags:02x}"


def block(messages: int, traced: list[int]) -> Block:
    offsets = list(range(100, 100 + messages))
    keys = [b"d%d" % (i % 50) for i in range(messages)]
    contexts = BytesColumn.of([traceparent(i + 1).encode() for i in traced])
    plain = Block.of(GPS_FIXES, 3, offsets, keys, keys, offsets)
    traces = TraceContexts(np.array(traced, np.int64), contexts)
    return Block(GPS_FIXES, 3, plain.offsets, plain.keys, plain.values, plain.timestamps_ms, traces)


def test_the_share_of_requests_is_kept_and_a_client_cannot_raise_it(
    exported: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "_ratio", 0.25)
    for _ in range(2_000):
        with tracing.request(None, "own"):
            pass
    low, high = 0x11 << 56, 0xC1 << 56  # of the lower half, which decides: a sixteenth, three quarters
    for trace_id, flags in [(low, 1), (high, 1), (low + 1, 0)]:
        with tracing.request(traceparent((5 << 64) | trace_id, flags), "client"):
            pass
    with tracing.request("nonsense", "own"):
        pass
    names = [span.name for span in exported.get_finished_spans()]
    assert 380 < names.count("own") < 640
    clients = [span for span in exported.get_finished_spans() if span.name == "client"]
    assert [span.context.trace_id for span in clients] == [(5 << 64) | low]
    assert clients[0].parent is not None
    assert clients[0].parent.span_id == 7


def test_nothing_is_begun_where_tracing_is_off() -> None:
    assert tracing.begin("x", "CONSUMER", traceparent(1)) is None
    assert tracing.publishing(GPS_FIXES) is None
    with tracing.request(traceparent(1), "x") as span:
        assert span is None
    assert BlockTrace.of(block(3, [1])) is None


def test_an_unsampled_or_broken_context_of_a_message_begins_nothing(exported: InMemorySpanExporter) -> None:
    for context in (traceparent(1, 0), traceparent(0), "", "00-zz"):
        assert tracing.begin("x", "CONSUMER", context) is None


def test_of_many_traced_messages_those_of_updates_come_first(exported: InMemorySpanExporter) -> None:
    trace = BlockTrace.of(block(1_000, list(range(0, 1_000, 2))))
    assert trace is not None
    updates = [Outgoing(ROUTE_UPDATES, b"d8", b"{}", 3), Outgoing(ROUTE_UPDATES, b"d9", b"{}", 3)]
    others = [Outgoing("dead-letters", b"d8", b"x")]
    trace.processed([*updates, *others], [("trips", 1.0, 1.5)] * (MOST_LAPS + 10))
    marked = trace.publishing([*updates, *others], stored=True)
    trace.end()
    assert [message.headers is not None for message in marked] == [True, False, False]  # no d9 is traced
    spans = exported.get_finished_spans()
    blocks = [span for span in spans if span.name == "gps-fixes process"]
    assert len(blocks) == MOST_TRACED
    newest = next(span for span in blocks if span.attributes["messaging.kafka.offset"] == 100 + 958)
    (publish,) = (span for span in spans if span.name == "route-updates publish")
    assert publish.parent is not None
    assert publish.parent.span_id == newest.context.span_id
    assert marked[0].headers == [("traceparent", f"00-{959:032x}-{publish.context.span_id:016x}-01".encode())]
    assert sum(span.name == "decide" for span in spans) == MOST_TRACED * MOST_LAPS


@pytest.fixture
def root_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)


@pytest.mark.usefixtures("root_as_before")
def test_the_log_of_a_failure_names_the_trace(
    exported: InMemorySpanExporter, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.set_up(Settings(log_format="json"), "worker")
    trace = BlockTrace.of(block(1, [0]))
    with BlockTrace.failing(trace):
        logging.getLogger("test").error("failed on a block")
    (span,) = exported.get_finished_spans()
    line = orjson.loads(capsys.readouterr().err)
    assert line["trace_id"] == f"{1:032x}"
    assert line["span_id"] == f"{span.context.span_id:016x}"
    assert not span.status.is_ok


def test_a_ratio_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(BadInput, match=r"TRACE_SAMPLE_RATIO is 1.5"):
        Settings(trace_sample_ratio=1.5)
