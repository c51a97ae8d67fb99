"""Can what comes in be used, and are features known and fresh?"""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from streams.telemetry.dashboards.panels import (
    RATE,
    WORKER,
    Panel,
    bars,
    board,
    events,
    lines,
    number,
    quantile,
    rows,
)

_FIXES = f"(sum(rate(flaneur_fixes_total{{{WORKER}}}{RATE})) > 0)"


def _share_of_fixes(counter: str, where: str = WORKER) -> str:
    return f"sum(rate({counter}{{{where}}}{RATE})) / {_FIXES}"


_UNKNOWN = (
    f"sum by (entity, feature) (increase(flaneur_feature_nulls_total{{{WORKER}}}[1h]))"
    f" / (sum by (entity, feature) (increase(flaneur_feature_values_total{{{WORKER}}}[1h])) > 0)"
)
_FRESH = f"time() - (max by (entity, feature) (flaneur_feature_known_timestamp_seconds{{{WORKER}}}) > 0)"


def _at_a_glance() -> list[Panel]:
    return [
        number(
            "How many messages are put aside?", "Dead letters of an hour: `flaneur dead-letters`.",
            "short", f"sum(increase(flaneur_dead_letters_total{{{WORKER}}}[1h]))",
            limits=[(1.0, "yellow"), (100.0, "red")], decimals=0, width=6,
        ),
        number(
            "Which share comes too late?",
            "Fixes behind their walker's watermark: they count in no window.", "percentunit",
            _share_of_fixes("flaneur_fixes_late_total"),
            limits=[(0.01, "yellow"), (0.05, "red")], decimals=2, width=6,
        ),
        number(
            "Which share is on no street?", "Fixes on squares, beaches, or streets that the map lacks.",
            "percentunit", _share_of_fixes("flaneur_fixes_matched_total", f'{WORKER}, state="off_network"'),
            limits=[(0.2, "yellow"), (0.5, "red")], decimals=1, width=6,
        ),
        number(
            "How far behind is the online store?",
            "Since it last held every feature that workers know. It is written once a second.", "s",
            f"time() - min(flaneur_online_store_current_timestamp_seconds{{{WORKER}}})",
            limits=[(5.0, "yellow"), (60.0, "red")], decimals=1, width=6,
        ),
    ]  # fmt: skip


def _what_comes_in() -> list[Panel]:
    return [
        events(
            "What cannot be used, and why?", "Dead letters, by topic and reason.",
            (f"sum by (topic, reason) (increase(flaneur_dead_letters_total{{{WORKER}}}{RATE})) > 0",
             "{{topic}}: {{reason}}"),
        ),
        lines(
            "How do fixes come?", "Share that is late, was seen before, or is out of order and yet in time.",
            "percentunit",
            (_share_of_fixes("flaneur_fixes_late_total"), "late"),
            (_share_of_fixes("flaneur_fixes_duplicate_total"), "seen before"),
            (_share_of_fixes("flaneur_fixes_out_of_order_total"), "out of order"),
        ),
        lines(
            "How old are fixes by their own clock?",
            "From the fix's time to the end of its block: phones that were offline, or clocks gone wrong.",
            "s",
            (quantile(0.5, "flaneur_fix_age_seconds", WORKER), "half of them"),
            (quantile(0.99, "flaneur_fix_age_seconds", WORKER), "99 %"),
        ),
        lines(
            "How well do fixes match?", "Mean probability of the latest block's matches, by worker.",
            "percentunit",
            (f"flaneur_match_probability{{{WORKER}}}", "{{instance}}"), high=1.0,
        ),
        lines(
            "How far are fixes from their street?", "Mean of the latest block's, by worker.", "lengthm",
            (f"flaneur_match_distance_m{{{WORKER}}}", "{{instance}}"),
            limits=[(15.0, "yellow"), (30.0, "red")],
        ),
        lines(
            "Do passages reach the crowd?", "Passages of walkers sent, and taken in, once each.", "cps",
            (f"sum(rate(flaneur_passages_total{{{WORKER}}}{RATE}))", "sent"),
            (f"sum(rate(flaneur_passages_folded_total{{{WORKER}}}{RATE}))", "taken in"),
        ),
    ]  # fmt: skip


def _features() -> list[Panel]:
    return [
        rows(
            "Which features are fresh, and which unknown?",
            "Since a value was last known, and the share of an hour's values that is not. A feature that was"
            " never known is not listed under freshness. Crowds are told from five walkers on.",
            ("last known", _FRESH, "s", [(60.0, "yellow"), (300.0, "red")]),
            ("unknown", _UNKNOWN, "percentunit", [(0.5, "yellow"), (0.95, "red")]),
            keys=("entity", "feature"),
        ),
        bars(
            "How fresh is the stalest feature of each entity?", "Since a value of it was last known.", "s",
            (f"max by (entity) ({_FRESH})", "{{entity}}"),
            limits=[(60.0, "yellow"), (300.0, "red")],
        ),
        lines(
            "How much is unknown?", "Share of values that are, by entity.", "percentunit",
            (f"sum by (entity) (rate(flaneur_feature_nulls_total{{{WORKER}}}{RATE}))"
             f" / (sum by (entity) (rate(flaneur_feature_values_total{{{WORKER}}}{RATE})) > 0)",
             "{{entity}}"),
            high=1.0,
        ),
    ]  # fmt: skip


def _online_store() -> list[Panel]:
    return [
        lines(
            "How many keys are written?", "By what they are of.", "cps",
            (f"sum by (entity) (rate(flaneur_online_store_keys_total{{{WORKER}}}{RATE}))", "{{entity}}"),
            stacked=True,
        ),
        lines(
            "How long does writing take?", "All that changed in a second.", "s",
            (quantile(0.5, "flaneur_online_store_seconds", WORKER), "half of them"),
            (quantile(0.99, "flaneur_online_store_seconds", WORKER), "99 %"),
            limits=[(1.0, "red")],
        ),
        lines(
            "How many keys wait?", "Only while the store cannot be written.", "short",
            (f"sum by (instance) (flaneur_online_store_waiting{{{WORKER}}})", "{{instance}}"),
        ),
        events(
            "Does writing fail?", "Failed writes; what they held is written later.",
            (f"sum by (instance) (increase(flaneur_online_store_errors_total{{{WORKER}}}{RATE}))",
             "{{instance}}"),
        ),
    ]  # fmt: skip


def data_quality() -> Dashboard:
    """The dashboard."""
    return board(
        "data-quality",
        "can the data be used?",
        "What is put aside, how fixes come and match, which features are known and how fresh they are.",
        ("worker",),
        [
            ("At a glance", _at_a_glance()),
            ("What comes in", _what_comes_in()),
            ("Features", _features()),
            ("Online store", _online_store()),
        ],
    )
