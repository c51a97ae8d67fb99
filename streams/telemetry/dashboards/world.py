"""What is the world like, and how well is it known? Conditions' age, feeds, closures, rain, coverage."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from streams.telemetry.dashboards.panels import (
    CITY,
    CONDITIONS_AGE_S,
    RATE,
    WORKER,
    Panel,
    bars,
    board,
    lines,
    number,
    places,
)

_AGE = [(60.0, "yellow"), (CONDITIONS_AGE_S, "red")]


def _at_a_glance() -> list[Panel]:
    return [
        number(
            "How old are the conditions in use?",
            "Of the worker that is furthest behind. Five minutes at most.", "s",
            f"time() - min(flaneur_conditions_current_timestamp_seconds{{{WORKER}}})",
            limits=_AGE, decimals=0, width=6,
        ),
        number(
            "How old is the newest report?", "Of any feed, since the broker took it.", "s",
            f"time() - max(flaneur_feed_newest_timestamp_seconds{{{WORKER}}})",
            limits=_AGE, decimals=0, width=6,
        ),
        number(
            "How many stretches are closed?", "By reports, in the cities shown.", "short",
            f"sum(max by (city) (flaneur_closures{{{WORKER}, {CITY}}}))", decimals=0, width=6,
        ),
        number(
            "How hard does it rain?", "Where it rains hardest, in mm/h.", "none",
            f"max(flaneur_rain_mmph{{{WORKER}, {CITY}}})",
            limits=[(0.1, "blue"), (4.0, "purple")], decimals=1, width=6,
        ),
    ]  # fmt: skip


def _where() -> list[Panel]:
    return [
        places(
            "Where is what known, and how many walk there?",
            "Share of the cells around a dot (H3, resolution 7, about 5 km²) of which something is known, of"
            " the kind chosen above. Walkers stand at the middle of the streets of an area, by fives.",
            "percentunit",
            ("Coverage",
             f'max by (city, cell, lat, lon) (flaneur_coverage_ratio{{{WORKER}, {CITY}, of="$of"}})',
             "by value"),
            ("Walkers", f"sum by (city, area, lat, lon) (flaneur_city_walkers{{{WORKER}, {CITY}}})", "blue"),
        ),
    ]  # fmt: skip


def _conditions() -> list[Panel]:
    return [
        lines(
            "How old are each worker's conditions?",
            "Since its costs last contained every edge condition that the broker had.", "s",
            (f"time() - flaneur_conditions_current_timestamp_seconds{{{WORKER}}}", "{{instance}}"),
            limits=[(CONDITIONS_AGE_S, "red")],
        ),
        lines(
            "Do all workers know the same?", "Versions between the first and the last of them.", "short",
            (f"max(flaneur_conditions_version{{{WORKER}}}) - min(flaneur_conditions_version{{{WORKER}}})",
             "versions apart"),
        ),
        lines(
            "What is told of cells, stretches and crowds?", "Edge conditions sent, by what they are of.",
            "mps",
            (f"sum by (kind) (rate(flaneur_edge_conditions_total{{{WORKER}}}{RATE}))", "{{kind}}"),
            stacked=True,
        ),
        lines(
            "How much of the cities is known?", "Mean share of cells, by kind.", "percentunit",
            (f"avg by (of) (max by (cell, of) (flaneur_coverage_ratio{{{WORKER}, {CITY}}}))", "{{of}}"),
            high=1.0,
        ),
    ]  # fmt: skip


def _feeds() -> list[Panel]:
    return [
        bars(
            "When did each feed last report?",
            "Since the broker took its newest report. How often a feed sends is its own affair: compare with"
            " its usual.",
            "s",
            (f"time() - max by (feed) (flaneur_feed_newest_timestamp_seconds{{{WORKER}}})", "{{feed}}"),
            limits=_AGE,
        ),
        lines(
            "How much does each feed report?", "Reports taken in, by feed.", "cps",
            (f"sum by (feed) (rate(flaneur_feed_reports_total{{{WORKER}}}{RATE}))", "{{feed}}"),
            stacked=True,
        ),
    ]  # fmt: skip


def _in_force() -> list[Panel]:
    return [
        lines(
            "What is closed, and what is worked on?", "Stretches, by city.", "short",
            (f"max by (city) (flaneur_closures{{{WORKER}, {CITY}}})", "{{city}}: closed"),
            (f"max by (city) (flaneur_works{{{WORKER}, {CITY}}})", "{{city}}: works"),
        ),
        lines(
            "Where is traffic slow?", "Stretches with vehicles at less than half their free speed.", "short",
            (f"max by (city) (flaneur_slow_stretches{{{WORKER}, {CITY}}})", "{{city}}"),
        ),
        lines(
            "How hard does it rain in each city?", "Where it rains hardest, in mm/h.", "none",
            (f"max by (city) (flaneur_rain_mmph{{{WORKER}, {CITY}}})", "{{city}}"),
        ),
        lines(
            "In how much of each city does it rain?", "Share of its cells.", "percentunit",
            (f"max by (city) (flaneur_raining_cells{{{WORKER}, {CITY}}} / flaneur_cells{{{WORKER}, {CITY}}})",
             "{{city}}"),
            high=1.0,
        ),
    ]  # fmt: skip


def world() -> Dashboard:
    """The dashboard."""
    return board(
        "world",
        "what is the world like?",
        "How old conditions are, what feeds send, what is closed and where it rains, and what is known"
        " where. Every worker with the city open tells the same; where they differ, the largest is shown.",
        ("worker", "city", "of"),
        [
            ("At a glance", _at_a_glance()),
            ("Where", _where()),
            ("Conditions", _conditions()),
            ("Feeds", _feeds()),
            ("In force", _in_force()),
        ],
    )
