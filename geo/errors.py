"""The one hierarchy of errors that Flaneur raises on purpose.

    FlaneurError                a sentence for the person who runs it; the command line exits with 2
    ├── BadInput                a file, record, option or coordinate that cannot be used
    │   ├── BadRecord           one message of a topic: it becomes a dead letter
    │   └── BadGraph            a graph directory or an extract that cannot be used
    ├── NoRoute                 there is no way on foot between the two places
    ├── NoCandidate             no edge within reach of the point
    └── Unavailable             a service (broker, Redis) that is needed cannot be reached or used

Every message says what was wrong, with which value, and what to do about it.
"""

from __future__ import annotations


class FlaneurError(Exception):
    """Base of all errors that are raised on purpose; its text is one sentence for a person."""


class BadInput(FlaneurError):
    """Something given from outside cannot be used."""


class BadRecord(BadInput):
    """One message cannot be read; `reason` is its short code, used as a metric label."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class BadGraph(BadInput):
    """A graph directory or an OSM extract cannot be used."""


class NoRoute(FlaneurError):
    """There is no way on foot between the two places."""


class NoCandidate(FlaneurError):
    """No edge of the graph lies within reach of the point."""


class Unavailable(FlaneurError):
    """A service that is needed (broker, Redis) cannot be reached or used."""
