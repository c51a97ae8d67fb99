"""Are ways found fast, are they worth it, and who was rerouted in vain?"""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from streams.telemetry.dashboards.panels import RATE, WORKER, Panel, board, events, lines, number, quantile

_FALSE = (
    f"sum(increase(flaneur_reroutes_false_total{{{WORKER}}}[1h]))"
    f' / clamp_min(sum(increase(flaneur_route_updates_total{{{WORKER}, reason="off_route"}}[1h])), 1)'
)


def _at_a_glance() -> list[Panel]:
    return [
        number(
            "How long does a search take?", "99 % of all take no longer, the update's making included.", "s",
            quantile(0.99, "flaneur_search_seconds", WORKER),
            limits=[(0.05, "yellow"), (0.25, "red")], width=6,
        ),
        number(
            "What does a fix cost?", "Seconds of kernels and searches over the fixes taken in.", "s",
            f"sum(rate(flaneur_kernel_seconds_total{{{WORKER}}}{RATE}))"
            f" / (sum(rate(flaneur_fixes_total{{{WORKER}}}{RATE})) > 0)",
            limits=[(0.0001, "yellow"), (0.001, "red")], width=6,
        ),
        number(
            "Which share of reroutes was false?",
            "Of an hour's: within a minute the walker was on what the new way leaves out of the old one. An"
            " estimate; the truth is known in simulation only.",
            "percentunit", _FALSE, limits=[(0.1, "yellow"), (0.25, "red")], decimals=1, width=6,
        ),
        number(
            "How many searches find no way?", "In an hour.", "short",
            f"sum(increase(flaneur_replans_failed_total{{{WORKER}}}[1h]))", decimals=0, width=6,
        ),
    ]  # fmt: skip


def _time() -> list[Panel]:
    return [
        lines(
            "Where does the time go?", "Share of a core that each kernel takes, of all workers.",
            "percentunit",
            (f"sum by (kernel) (rate(flaneur_kernel_seconds_total{{{WORKER}}}{RATE}))", "{{kernel}}"),
            stacked=True,
        ),
        lines(
            "How long does each kind of search take?", "99 % of them, by why it was needed.", "s",
            (quantile(0.99, "flaneur_search_seconds", WORKER, by="reason"), "{{reason}}"),
            limits=[(0.25, "red")],
        ),
        lines(
            "How long does it take to see whom a change concerns?",
            "Scoring all live routes of a partition anew after a change of the world.", "s",
            (quantile(0.5, "flaneur_world_check_seconds", WORKER), "half of them"),
            (quantile(0.99, "flaneur_world_check_seconds", WORKER), "99 %"),
        ),
        lines(
            "How much of the graph does a search look at?", "Nodes settled over searches.", "short",
            (f"sum(rate(flaneur_search_settled_nodes_total{{{WORKER}}}{RATE}))"
             f" / (sum(rate(flaneur_search_seconds_count{{{WORKER}}}{RATE})) > 0)", "nodes"),
        ),
    ]  # fmt: skip


def _decisions() -> list[Panel]:
    return [
        lines(
            "Why are ways searched for?", "Decisions, before the search, by reason.", "ops",
            (f"sum by (reason) (rate(flaneur_decisions_total{{{WORKER}}}{RATE}))", "{{reason}}"),
            stacked=True,
        ),
        lines(
            "How many searches end in an update?",
            "Route updates over decisions of the same reason. The rest was not worth sending, or there is no"
            " other way.",
            "percentunit",
            (f"sum by (reason) (rate(flaneur_route_updates_total{{{WORKER}}}{RATE}))"
             f" / (sum by (reason) (rate(flaneur_decisions_total{{{WORKER}}}{RATE})) > 0)", "{{reason}}"),
            high=1.0,
        ),
        lines(
            "How much better are the new ways?",
            "Mean gain of updates that the world caused, of the impedance of what was left.", "percentunit",
            (f"sum by (reason) (rate(flaneur_replan_gain_sum{{{WORKER}}}{RATE}))"
             f" / (sum by (reason) (rate(flaneur_replan_gain_count{{{WORKER}}}{RATE})) > 0)",
             "{{reason}}"),
            high=1.0,
        ),
        events(
            "Why was no way found?", "Searches that ended without one, by what was in the way.",
            (f"sum by (reason) (increase(flaneur_replans_failed_total{{{WORKER}}}{RATE}))", "{{reason}}"),
        ),
        events(
            "Who was rerouted, and who in vain?", "Reroutes of walkers who left their way, and false ones.",
            (f'sum(increase(flaneur_route_updates_total{{{WORKER}, reason="off_route"}}{RATE}))',
             "rerouted"),
            (f"sum(increase(flaneur_reroutes_false_total{{{WORKER}}}{RATE}))", "in vain"),
            stacked=False,
        ),
        lines(
            "How many cities are open?",
            "Graphs in a worker's memory, because somebody walks there.", "short",
            (f"max by (instance) (flaneur_cities_open{{{WORKER}}})", "{{instance}}"),
        ),
    ]  # fmt: skip


def routing() -> Dashboard:
    """The dashboard."""
    return board(
        "routing",
        "are ways found, and worth it?",
        "What kernels and searches cost, what they find, how much better new ways are, and reroutes that"
        " nobody needed.",
        ("worker",),
        [
            ("At a glance", _at_a_glance()),
            ("Time", _time()),
            ("Decisions", _decisions()),
        ],
    )
