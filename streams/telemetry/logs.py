"""How a process writes its log: one line an event on standard error, as JSON or for people.

Everybody logs by Python's own `logging`, Faust, aiokafka and aiohttp as well; structlog renders it all the
same way. What leads to a person has no place in a log. Our own lines name none; but an error that is logged
says with which value it happened, so what looks like a position, a token or a key is taken out of every line.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from typing import Any

import orjson
import structlog
from structlog.typing import Processor

from streams.settings import Settings

SERVICE = "flaneur"
HIDDEN = "[hidden]"
_NOISY = ("aiokafka", "faust", "mode", "numba", "opentelemetry")  # libraries: only what they warn of

_SECRETS = re.compile(
    r"""
      -?\b\d{1,3}\.\d{4,}(?:e-?\d+)?\b                       # degrees: four places are eleven metres
    | \beyJ[\w-]{6,}\.[\w-]+\.[\w-]*                           # a token (JWT)
    | \b[\w-]{16}\.[\w-]{43}(?![\w-])                         # a device's key
    | (?<=[?&])(?:key|token)=[^\s&"']+                         # either in an address
    | (?<=Bearer\ )\S+
    | (?<=device["']:["'])[^"']+ | (?<=device["']:\ ["'])[^"']+ | (?<=device=["'])[^"']+
    """,
    re.VERBOSE,
)


def set_up(settings: Settings, process: str, instance: str = "") -> None:
    """Write this process's log as `LOG_FORMAT` and `LOG_LEVEL` say; to be called once, at the start.

    process: what it is (worker, gateway, planner, feed).
    """
    logging.captureWarnings(True)
    handler = logging.StreamHandler(sys.stderr)
    handler.set_name(SERVICE)  # `cli.main` looks for it
    handler.setFormatter(_formatter(settings, process, instance or settings.instance_id))
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    for library in _NOISY:
        logging.getLogger(library).setLevel(max(logging.WARNING, logging.getLogger().level))


def writes_json(settings: Settings) -> bool:
    """Whether a log is to be JSON: for machines, unless somebody looks at a terminal."""
    return settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())


def scrubbed(text: str) -> str:
    """The text without what looks like a position, a token, a key or a device."""
    return _SECRETS.sub(HIDDEN, text)


def _formatter(settings: Settings, process: str, instance: str) -> logging.Formatter:
    common: list[Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.format_exc_info,
        structlog.processors.StackInfoRenderer(),
        _trace_ids,
    ]
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if writes_json(settings):
        last += [_names(process, instance), _scrub, structlog.processors.JSONRenderer(_json)]
    else:
        plain = structlog.dev.plain_traceback  # the rich one shows the values of variables
        colors = sys.stderr.isatty()
        last += [
            _scrub,
            structlog.dev.ConsoleRenderer(
                colors=colors, timestamp_key="ts", pad_event_to=0, exception_formatter=plain
            ),
        ]
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=common, processors=last)


def _names(process: str, instance: str) -> Processor:
    """Say in every line who writes it."""
    own = {"service": SERVICE, "process": process, "instance": instance}

    def add(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {"ts": event.pop("ts", None), "level": event.pop("level", None), **own, **event}

    return add


def _scrub(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str) and name != "ts":
            event[name] = scrubbed(value)
    return event


def _trace_ids(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Say in which trace it happened, where there is one (OpenTelemetry is imported only to make them)."""
    api = sys.modules.get("opentelemetry.trace")
    context = api.get_current_span().get_span_context() if api is not None else None
    if context is not None and context.is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
        event["span_id"] = f"{context.span_id:016x}"
    return event


def _json(event: Any, default: Callable[[Any], Any] | None = None, **_: Any) -> str:
    return orjson.dumps(event, default=default or repr).decode()
