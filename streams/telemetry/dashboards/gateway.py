"""Do gateways answer, and whom do they turn away?"""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from streams.telemetry.dashboards.panels import (
    ANSWER_WITHIN_S,
    GATEWAY,
    RATE,
    Panel,
    board,
    events,
    lines,
    number,
    quantile,
)

_REQUESTS = f"rate(flaneur_gateway_requests_total{{{GATEWAY}}}{RATE})"


def _rate_of(status: str) -> str:
    return f'rate(flaneur_gateway_requests_total{{{GATEWAY}, status=~"{status}"}}{RATE})'


def _at_a_glance() -> list[Panel]:
    return [
        number(
            "Which share of requests fails?", "Errors of ours: status 500 and above.", "percentunit",
            f"(sum({_rate_of('5..')}) or vector(0)) / (sum({_REQUESTS}) > 0)",
            limits=[(0.001, "yellow"), (0.01, "red")], decimals=2, width=6,
        ),
        number(
            "How long does a request take?", "99 % take no longer; connections that stay open do not count.",
            "s", quantile(0.99, "flaneur_gateway_request_seconds", GATEWAY),
            limits=[(0.25, "yellow"), (ANSWER_WITHIN_S, "red")], width=6,
        ),
        number(
            "How many clients follow?", "WebSockets, server-sent events and watchers.", "short",
            f"sum(flaneur_gateway_subscribers{{{GATEWAY}}})", decimals=0, width=6,
        ),
        number(
            "How many devices are registered?", "Every gateway knows all of them.", "short",
            f"max(flaneur_gateway_devices{{{GATEWAY}}})", decimals=0, width=6,
        ),
    ]  # fmt: skip


def _requests() -> list[Panel]:
    return [
        lines(
            "What is asked for?", "Requests answered, by route.", "reqps",
            (f"sum by (route) ({_REQUESTS})", "{{route}}"), stacked=True,
        ),
        lines(
            "How do requests end?", "By status.", "reqps",
            (f"sum by (status) ({_REQUESTS})", "{{status}}"), stacked=True,
        ),
        lines(
            "How long does each route take?", "99 % of its requests.", "s",
            (quantile(0.99, "flaneur_gateway_request_seconds", GATEWAY, by="route"), "{{route}}"),
            limits=[(ANSWER_WITHIN_S, "red")],
        ),
        lines(
            "How many fixes are published?", "Those that Kafka has acknowledged, by the format they came in.",
            "cps",
            (f"sum by (format) (rate(flaneur_gateway_fixes_total{{{GATEWAY}}}{RATE}))", "{{format}}"),
            stacked=True,
        ),
    ]  # fmt: skip


def _followers() -> list[Panel]:
    return [
        lines(
            "Who follows, and how?", "Open connections, by kind.", "short",
            (f"sum by (kind) (flaneur_gateway_subscribers{{{GATEWAY}}})", "{{kind}}"), stacked=True,
        ),
        lines(
            "How long until an update is handed on?",
            "From the broker's time of a route update until its followers were given it.", "s",
            (quantile(0.5, "flaneur_gateway_update_age_seconds", GATEWAY), "half of them"),
            (quantile(0.99, "flaneur_gateway_update_age_seconds", GATEWAY), "99 %"),
            limits=[(ANSWER_WITHIN_S, "red")],
        ),
        lines(
            "How many updates come in?", "Every gateway reads all of them.", "mps",
            (f"sum by (instance) (rate(flaneur_gateway_updates_total{{{GATEWAY}}}{RATE}))",
             "{{instance}}"),
        ),
        lines(
            "How many trips does each gateway know?", "All should know the same.", "short",
            (f"flaneur_gateway_trips{{{GATEWAY}}}", "{{instance}}"),
        ),
    ]  # fmt: skip


def _turned_away() -> list[Panel]:
    return [
        lines(
            "Who is turned away?",
            "401 and 403: no token, or not theirs. 413: too large. 422: cannot be used. 429: too often.",
            "reqps", (f"sum by (status) ({_rate_of('4..')})", "{{status}}"), stacked=True,
        ),
        events(
            "Which fixes are refused?", "At the edge, before Kafka, by the format they came in.",
            (f"sum by (format) (increase(flaneur_gateway_fixes_refused_total{{{GATEWAY}}}{RATE}))",
             "{{format}}"),
        ),
        events(
            "Who was cut off?", "Followers that read too slowly. They come again and resume.",
            (f"sum by (instance) (increase(flaneur_gateway_cut_off_total{{{GATEWAY}}}{RATE}))",
             "{{instance}}"),
        ),
        events(
            "Did planners end unasked?", "Processes that plan by request, started again.",
            (f"sum by (instance) (increase(flaneur_gateway_planners_restarted_total{{{GATEWAY}}}{RATE}))",
             "{{instance}}"),
        ),
    ]  # fmt: skip


def _machine() -> list[Panel]:
    return [
        lines(
            "How busy is each gateway?", "Share of a core, planners not included.", "percentunit",
            (f"rate(process_cpu_seconds_total{{{GATEWAY}}}{RATE})", "{{instance}}"),
            limits=[(0.8, "yellow"), (1.0, "red")],
        ),
        lines(
            "How much memory does each gateway hold?", "Resident, planners not included.", "bytes",
            (f"process_resident_memory_bytes{{{GATEWAY}}}", "{{instance}}"),
        ),
    ]  # fmt: skip


def gateway() -> Dashboard:
    """The dashboard."""
    return board(
        "gateway",
        "do gateways answer?",
        "Requests, how long they take, who follows, and what is refused.",
        ("gateway",),
        [
            ("At a glance", _at_a_glance()),
            ("Requests", _requests()),
            ("Followers", _followers()),
            ("Turned away", _turned_away()),
            ("Machine", _machine()),
        ],
    )
