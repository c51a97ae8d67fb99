"""Traces of single requests and fixes through all processes, by OpenTelemetry: sampled, and off by default.

The gateway begins a trace, or goes on with the client's, for a share of what it takes in
(`TRACE_SAMPLE_RATIO`). A message of such a trace has a header `traceparent` (W3C), no other message has one:
who finds it makes spans, and nobody else pays. Spans name topics, offsets and counts, nobody and no place.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from streams.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

TRACEPARENT = "traceparent"
Headers = list[tuple[str, str | bytes | None]]

SEND_EVERY_MS = 1_000
MOST_QUEUED = 16_384  # spans; what comes while so many wait for the collector is dropped
SEND_WITHIN_S = 5.0
_TWO_64 = 1 << 64

_tracer: Tracer | None = None  # None: tracing is off
_ratio = 0.0


def set_up(settings: Settings, process: str) -> None:
    """Begin to send spans to `TRACE_ENDPOINT`, unless nothing is sampled; to be called once, at the start."""
    global _tracer, _ratio
    _ratio = settings.trace_sample_ratio
    if _ratio == 0.0:
        return
    # only now: who traces nothing does not load any of it
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_NAMESPACE, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON

    names = {
        SERVICE_NAMESPACE: "flaneur",
        SERVICE_NAME: f"flaneur-{process}",
        SERVICE_INSTANCE_ID: settings.instance_id,
    }
    # which are sampled is decided before any span is made
    provider = TracerProvider(sampler=ALWAYS_ON, resource=Resource(names))
    exporter = OTLPSpanExporter(settings.trace_endpoint, timeout=SEND_WITHIN_S)
    provider.add_span_processor(
        BatchSpanProcessor(exporter, max_queue_size=MOST_QUEUED, schedule_delay_millis=SEND_EVERY_MS)
    )
    _tracer = provider.get_tracer("flaneur")


def on() -> bool:
    """Whether anything may be traced here."""
    return _tracer is not None


def request(traceparent: str | None, name: str) -> AbstractContextManager[Span | None]:
    """Around what a client asked for: the current span, if its trace is one of the share that is sampled.

    The client's trace goes on if it has one that is recorded. Its number decides, as it would elsewhere, so a
    client cannot have more than the share.
    """
    if _tracer is None:
        return _NO_SPAN
    parent = None if traceparent is None else _context_of(traceparent)
    if parent is None:
        sampled = random.random() < _ratio
    else:
        client = _span_context(parent)
        sampled = client.trace_flags.sampled and client.trace_id % _TWO_64 < _ratio * _TWO_64
    return _current(_begin(name, "SERVER", parent)) if sampled else _NO_SPAN


def publishing(topic: str) -> Span | None:
    """A span from now until somebody ends it, if a message is sent for a request that is traced."""
    if _tracer is None:
        return None
    from opentelemetry.trace import get_current_span

    if not get_current_span().is_recording():
        return None
    return _begin(f"{topic} publish", "PRODUCER", None, {"messaging.destination.name": topic})


def headers_of(span: Span) -> Headers:
    """What a message has with it that is sent in this span."""
    from opentelemetry.trace import set_span_in_context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier, set_span_in_context(span))
    return [(TRACEPARENT, carrier[TRACEPARENT].encode())]


def found_in(headers: Any) -> str | None:
    """The context in the headers of a message (as confluent_kafka gives them), if it has one."""
    value = next((value for name, value in headers or () if name == TRACEPARENT), None)
    return value.decode("ascii", "replace") if value else None


def begin(
    name: str,
    kind: str,
    traceparent: str,
    attributes: Mapping[str, Any] | None = None,
    at_ns: int | None = None,
) -> Span | None:
    """A span of the trace that a message belongs to; None if that is no context, or tracing is off here."""
    parent = _context_of(traceparent) if _tracer is not None else None
    if parent is None or not _span_context(parent).trace_flags.sampled:
        return None
    return _begin(name, kind, parent, attributes, at_ns)


def child(
    of: Span, name: str, at_ns: int, end_ns: int | None = None, kind: str = "INTERNAL",
    attributes: Mapping[str, Any] | None = None,
) -> Span:  # fmt: skip
    """A span within another one; ended already, if its end is given."""
    from opentelemetry.trace import set_span_in_context

    span = _begin(name, kind, set_span_in_context(of), attributes, at_ns)
    if end_ns is not None:
        span.end(end_ns)
    return span


def as_current(span: Span | None) -> AbstractContextManager[Span | None]:
    """What is logged meanwhile says that it belongs to this span."""
    if span is None:
        return _NO_SPAN
    from opentelemetry.trace import use_span

    return use_span(span, record_exception=False, set_status_on_exception=False)


def failed(span: Span) -> None:
    """Mark a span as one that went wrong. Why is in the log: an exception's text may name a place."""
    from opentelemetry.trace import StatusCode

    span.set_status(StatusCode.ERROR)


def _begin(
    name: str,
    kind: str,
    parent: Context | None,
    attributes: Mapping[str, Any] | None = None,
    at_ns: int | None = None,
) -> Span:
    from opentelemetry.trace import SpanKind

    assert _tracer is not None
    return _tracer.start_span(name, parent, SpanKind[kind], attributes, start_time=at_ns)


def _context_of(traceparent: str) -> Context | None:
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    found = TraceContextTextMapPropagator().extract({TRACEPARENT: traceparent}, Context())
    return found if _span_context(found).is_valid else None


def _span_context(context: Context) -> Any:
    from opentelemetry.trace import get_current_span

    return get_current_span(context).get_span_context()


@contextmanager
def _current(span: Span) -> Iterator[Span | None]:
    try:
        with as_current(span):
            yield span
    except BaseException:
        failed(span)
        raise
    finally:
        span.end()


_NO_SPAN: AbstractContextManager[Span | None] = contextlib.nullcontext()
