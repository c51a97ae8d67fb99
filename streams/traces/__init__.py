"""Recorded traces, read from the files that phones, watches and surveys leave behind."""

from __future__ import annotations

from streams.traces.read import read_trace, read_traces
from streams.traces.trace import Columns, Problem, Trace

__all__ = ["Columns", "Problem", "Trace", "read_trace", "read_traces"]
