"""Asks a Prometheus: what a query gives now or over a while, whom it scrapes, which alerts fire."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from geo.errors import BadInput, Unavailable


@dataclass(frozen=True, slots=True)
class Series:
    """The values of one set of labels, by time (Unix seconds), as Prometheus computes them."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]

    @property
    def last(self) -> float:
        """The newest value."""
        return self.points[-1][1]


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A Prometheus at an address such as `http://127.0.0.1:9090`.

    Every question raises Unavailable if it does not answer, and BadInput if it refuses the query.
    """

    address: str
    timeout_s: float = 10.0

    def now(self, query: str, at_s: float | None = None) -> list[Series]:
        """What a query gives at one moment (by default now), a point each."""
        asked = {"query": query} | ({} if at_s is None else {"time": str(at_s)})
        found = self.ask("query", asked)
        if found["resultType"] == "scalar":
            return [Series({}, (_point(found["result"]),))]
        return [Series(one["metric"], (_point(one["value"]),)) for one in found["result"]]

    def over(self, query: str, begin_s: float, end_s: float, step_s: float) -> list[Series]:
        """What a query gives at every step of a while."""
        asked = {"query": query, "start": str(begin_s), "end": str(end_s), "step": str(step_s)}
        found = self.ask("query_range", asked)["result"]
        return [Series(one["metric"], tuple(_point(point) for point in one["values"])) for one in found]

    def label_values(self, label: str, of: str) -> list[str]:
        """The values of a label that the series of a selector have."""
        return list(self.ask(f"label/{urllib.parse.quote(label)}/values", {"match[]": of}))

    def targets(self) -> dict[str, str]:
        """Whom it scrapes: `job/instance` and `up`, `down` or `unknown`."""
        found = self.ask("targets", {"state": "active"})["activeTargets"]
        return {f"{one['labels']['job']}/{one['labels']['instance']}": one["health"] for one in found}

    def alerts(self) -> list[tuple[str, str, Mapping[str, str]]]:
        """Alerts that are pending or firing: name, state, labels."""
        found = self.ask("alerts", {})["alerts"]
        return [(one["labels"]["alertname"], one["state"], one["labels"]) for one in found]

    def ask(self, what: str, parameters: Mapping[str, str]) -> Any:
        """The data of an answer of its HTTP API."""
        url = f"{self.address}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=self.timeout_s) as answer:
                return orjson.loads(answer.read())["data"]
        except urllib.error.HTTPError as error:
            said = orjson.loads(error.read() or b"{}").get("error", error.reason)
            raise BadInput(f"Prometheus refuses {dict(parameters)}: {said}") from error
        except OSError as error:
            raise Unavailable(f"no Prometheus answers at {self.address}: {error}") from error


def _point(raw: list[Any]) -> tuple[float, float]:
    return float(raw[0]), float(raw[1])
