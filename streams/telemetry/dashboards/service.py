"""Are walkers served? The page to look at first: the objectives, and what is behind them."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from streams.telemetry.dashboards.panels import (
    ANSWER_WITHIN_S,
    ANSWERED_SHARE,
    CONDITIONS_AGE_S,
    GATEWAY,
    RATE,
    WORKER,
    Panel,
    Query,
    board,
    events,
    lines,
    number,
    quantile,
)

_ALLOWED = 1.0 - ANSWERED_SHARE


def _answered(window: str) -> str:
    """Which share of the fixes of a window was answered in time."""
    within = f'flaneur_answer_seconds_bucket{{{WORKER}, le="{ANSWER_WITHIN_S:.1f}"}}'
    asked = f"flaneur_answer_seconds_count{{{WORKER}}}"
    return f"sum(rate({within}{window})) / (sum(rate({asked}{window})) > 0)"


def _burnt(window: str) -> Query:
    return f"(1 - ({_answered(f'[{window}]')})) / {_ALLOWED:.2f}", f"over {window}"


def _objectives() -> list[Panel]:
    return [
        number(
            "Are 99 % of fixes answered within a second?",
            "From the broker's time of a message of gps-fixes until it was processed and what followed was"
            " acknowledged. Below 99 %: see lag and blocks in the pipeline's dashboard.",
            "percentunit", _answered(RATE), at_least=ANSWERED_SHARE, decimals=2, width=8,
        ),
        number(
            "How old are the conditions in use?",
            "Since the worker that is furthest behind last had every edge condition that the broker has."
            " Five minutes at most.",
            "s", f"time() - min(flaneur_conditions_current_timestamp_seconds{{{WORKER}}})",
            limits=[(60.0, "yellow"), (CONDITIONS_AGE_S, "red")], decimals=0, width=8,
        ),
        number(
            "Is there a hole that is not closed?",
            "Partitions whose next block does not begin where their state ends. They are read again at once;"
            " one that stays open keeps fixes from being answered.",
            "short", f"sum(flaneur_holes_open{{{WORKER}}})", limits=[(1.0, "red")], decimals=0, width=8,
        ),
        number(
            "How many processes are down?",
            "Workers and gateways that Prometheus knows of and that do not answer.",
            "short", 'sum(1 - up{job=~".*(worker|gateway).*"})', limits=[(1.0, "red")], decimals=0, width=8,
        ),
        number(
            "How many walkers are under way?", "Trips that workers hold.",
            "short", f"sum(flaneur_active_trips{{{WORKER}}})", decimals=0, width=8,
        ),
        number(
            "How many clients follow?", "Connections to gateways that are told of route updates.",
            "short", f"sum(flaneur_gateway_subscribers{{{GATEWAY}}})", decimals=0, width=8,
        ),
    ]  # fmt: skip


def _answers() -> list[Panel]:
    return [
        lines(
            "How long until a fix is answered?",
            "From the broker's time of the message until what followed from it was acknowledged."
            " The 99th percentile belongs below the line.",
            "s",
            (quantile(0.5, "flaneur_answer_seconds", WORKER), "half of them"),
            (quantile(0.99, "flaneur_answer_seconds", WORKER), "99 %"),
            (quantile(0.999, "flaneur_answer_seconds", WORKER), "99.9 %"),
            limits=[(ANSWER_WITHIN_S, "red")],
        ),
        lines(
            "How long until an update is handed on?",
            "From the broker's time of a route update until a gateway gave it to its followers.",
            "s",
            (quantile(0.5, "flaneur_gateway_update_age_seconds", GATEWAY), "half of them"),
            (quantile(0.99, "flaneur_gateway_update_age_seconds", GATEWAY), "99 %"),
            limits=[(ANSWER_WITHIN_S, "red")],
        ),
        lines(
            "How fast is the error budget used up?",
            "Share of fixes answered late, over the one in a hundred that may be: 1 uses up just what is"
            " allowed, 14 uses up a month's in two days.",
            "short", _burnt("5m"), _burnt("1h"), _burnt("6h"),
            limits=[(1.0, "yellow"), (14.4, "red")],
        ),
        lines(
            "Are all messages answered?",
            "Messages of gps-fixes taken in, and answered. The curves lie on each other.",
            "mps",
            (f'sum(rate(flaneur_messages_total{{{WORKER}, topic="gps-fixes"}}{RATE}))', "taken in"),
            (f"sum(rate(flaneur_answer_seconds_count{{{WORKER}}}{RATE}))", "answered"),
        ),
    ]  # fmt: skip


def _walkers() -> list[Panel]:
    return [
        lines(
            "Why do routes change?", "Route updates sent, by reason.", "mps",
            (f"sum by (reason) (rate(flaneur_route_updates_total{{{WORKER}}}{RATE}))", "{{reason}}"),
            stacked=True,
        ),
        lines(
            "How many walk?", "Walkers whose state is held, and those of them who have a trip.", "short",
            (f"sum(flaneur_walkers{{{WORKER}}})", "known"),
            (f"sum(flaneur_active_trips{{{WORKER}}})", "with a trip"),
        ),
        events(
            "What goes wrong?",
            "Each kind has a dashboard: dead letters and the online store under data quality, searches under"
            " routing, the rest under gateway.",
            (f"sum(increase(flaneur_dead_letters_total{{{WORKER}}}{RATE}))", "dead letters"),
            (f"sum(increase(flaneur_replans_failed_total{{{WORKER}}}{RATE}))", "searches without a way"),
            (f"sum(increase(flaneur_online_store_errors_total{{{WORKER}}}{RATE}))", "online store"),
            (f"sum(increase(flaneur_gateway_cut_off_total{{{GATEWAY}}}{RATE}))", "clients cut off"),
            (f'sum(increase(flaneur_gateway_requests_total{{{GATEWAY}, status=~"5.."}}{RATE}))'
             " or vector(0)", "gateway errors"),
        ),
        lines(
            "How many fixes come in?", "Each is counted once, whatever becomes of it.", "cps",
            (f"sum(rate(flaneur_fixes_total{{{WORKER}}}{RATE}))", "fixes"),
        ),
    ]  # fmt: skip


def service() -> Dashboard:
    """The dashboard."""
    return board(
        "service",
        "are walkers served?",
        "The objectives at a glance: fixes answered within a second, conditions no older than five minutes,"
        " no hole left open. If all of the first row is green, walkers are served.",
        ("worker", "gateway"),
        [
            ("Objectives", _objectives()),
            ("Answers", _answers()),
            ("Walkers", _walkers()),
        ],
    )
