"""Do workers keep up, and is what they know safe? Rates, lag, blocks, checkpoints, rebalances, holes."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from streams.telemetry.dashboards.panels import (
    ANSWER_WITHIN_S,
    RATE,
    WORKER,
    Panel,
    board,
    events,
    lines,
    number,
    quantile,
)


def _keeping_up() -> list[Panel]:
    return [
        number(
            "How far behind is the worst partition?",
            "For how long messages may have been waiting.", "s",
            f"max(flaneur_consumer_lag_seconds{{{WORKER}}})",
            limits=[(ANSWER_WITHIN_S, "yellow"), (10.0, "red")], decimals=1, width=6,
        ),
        number(
            "How many messages wait?", "Of all topics that workers read.", "short",
            f"sum(flaneur_consumer_lag_messages{{{WORKER}}})", decimals=0, width=6,
        ),
        number(
            "Are all partitions owned?",
            "Partitions of walkers that some worker has open, of all there are. Less than all: walkers of the"
            " rest are not answered.",
            "percentunit",
            f'sum(flaneur_assigned_partitions{{{WORKER}, table="walkers"}})'
            f' / max(flaneur_partitions{{{WORKER}, table="walkers"}})',
            at_least=1.0, decimals=0, width=6,
        ),
        number(
            "How old is the oldest checkpoint?",
            "Since a partition's state and offsets were last delivered, or found to be so. A second or two;"
            " so much is replayed after a crash.",
            "s", f"time() - min(flaneur_checkpoint_timestamp_seconds{{{WORKER}}})",
            limits=[(5.0, "yellow"), (30.0, "red")], decimals=1, width=6,
        ),
        lines(
            "How far behind is each topic?", "The worst of its partitions.", "s",
            (f"max by (topic) (flaneur_consumer_lag_seconds{{{WORKER}}})", "{{topic}}"),
            limits=[(ANSWER_WITHIN_S, "red")],
        ),
        lines(
            "How many messages of each topic wait?", "A curve that only rises: add a worker.", "short",
            (f"sum by (topic) (flaneur_consumer_lag_messages{{{WORKER}}})", "{{topic}}"),
        ),
        lines(
            "How many messages come in?", "Taken in by all workers, by topic.", "mps",
            (f"sum by (topic) (rate(flaneur_messages_total{{{WORKER}}}{RATE}))", "{{topic}}"),
            stacked=True,
        ),
        lines(
            "How busy is each worker?", "Share of a core. A worker's loop is one core at most.",
            "percentunit",
            (f"rate(process_cpu_seconds_total{{{WORKER}}}{RATE})", "{{instance}}"),
            limits=[(0.8, "yellow"), (1.0, "red")],
        ),
    ]  # fmt: skip


def _blocks() -> list[Panel]:
    return [
        lines(
            "How large are blocks?", "Messages a block: few while there is time, thousands in a backlog.",
            "short",
            (quantile(0.5, "flaneur_block_messages", WORKER), "half of them"),
            (quantile(0.99, "flaneur_block_messages", WORKER), "99 %"),
        ),
        lines(
            "How long does a block take?", "The loop does nothing else meanwhile.", "s",
            (quantile(0.5, "flaneur_block_seconds", WORKER), "half of them"),
            (quantile(0.99, "flaneur_block_seconds", WORKER), "99 %"),
            limits=[(0.25, "yellow"), (ANSWER_WITHIN_S, "red")],
        ),
    ]  # fmt: skip


def _checkpoints() -> list[Panel]:
    return [
        lines(
            "How long does a checkpoint take?", "Delivery included; one a second and partition is wanted.",
            "s",
            (quantile(0.5, "flaneur_checkpoint_seconds", WORKER), "half of them"),
            (quantile(0.99, "flaneur_checkpoint_seconds", WORKER), "99 %"),
            (quantile(0.99, "flaneur_checkpoint_slice_seconds", WORKER), "99 %, packing a slice"),
            limits=[(1.0, "yellow")],
        ),
        lines(
            "How much is written to changelogs?", "Bytes of checkpoints, packed.", "Bps",
            (f"sum by (instance) (rate(flaneur_checkpoint_bytes_total{{{WORKER}}}{RATE}))",
             "{{instance}}"),
            stacked=True,
        ),
        lines(
            "How old are checkpoints?", "The oldest of each table's partitions.", "s",
            (f"time() - min by (table) (flaneur_checkpoint_timestamp_seconds{{{WORKER}}})", "{{table}}"),
            limits=[(30.0, "red")],
        ),
        events(
            "Was a checkpoint damaged, or anything lost?",
            "Changelogs that were not whole, what was read again for them, and offsets that the broker has no"
            " more. All of it is to be nought.",
            (f"sum(increase(flaneur_checkpoints_flawed_total{{{WORKER}}}{RATE}))", "flawed changelogs"),
            (f"sum(increase(flaneur_messages_rebuilt_total{{{WORKER}}}{RATE}))", "messages read again"),
            (f"sum(increase(flaneur_offsets_lost_total{{{WORKER}}}{RATE}))", "offsets lost"),
        ),
    ]  # fmt: skip


def _partitions() -> list[Panel]:
    return [
        events(
            "When were partitions dealt anew?", "Assignments, by worker: one as it starts or another leaves.",
            (f"increase(flaneur_rebalances_total{{{WORKER}}}{RATE})", "{{instance}}"),
        ),
        lines(
            "How long did partitions stand still for it?",
            "Seconds between being taken away and being open again, in all.", "s",
            (f"sum by (instance) (increase(flaneur_rebalance_pause_seconds_sum{{{WORKER}}}{RATE}))",
             "{{instance}}"),
        ),
        events(
            "Were holes found, and healed?",
            "Blocks that did not begin where the state ends, and holes closed by reading again. Both rise"
            " alike.",
            (f"sum(increase(flaneur_holes_found_total{{{WORKER}}}{RATE}))", "found"),
            (f"sum(increase(flaneur_holes_healed_total{{{WORKER}}}{RATE}))", "healed"),
            stacked=False,
        ),
        lines(
            "Who owns how many partitions?", "Of walkers, by worker.", "short",
            (f'sum by (instance) (flaneur_assigned_partitions{{{WORKER}, table="walkers"}})',
             "{{instance}}"),
            stacked=True,
        ),
    ]  # fmt: skip


def _machine() -> list[Panel]:
    return [
        lines(
            "How much memory does each worker hold?", "Resident; graphs are shared between workers.", "bytes",
            (f"process_resident_memory_bytes{{{WORKER}}}", "{{instance}}"),
        ),
        lines(
            "How much of the disk is free?", "Of those that a worker's DATA_DIR names.", "percentunit",
            (f"min by (folder) (flaneur_disk_free_bytes{{{WORKER}}} / flaneur_disk_bytes{{{WORKER}}})",
             "{{folder}}"),
            limits=[(0.0, "red"), (0.1, "yellow"), (0.2, "green")], high=1.0,
        ),
    ]  # fmt: skip


def pipeline() -> Dashboard:
    """The dashboard."""
    return board(
        "pipeline",
        "do workers keep up?",
        "What workers take in, how far behind they are, what a block and a checkpoint cost, and what happened"
        " to partitions.",
        ("worker",),
        [
            ("Keeping up", _keeping_up()),
            ("Blocks", _blocks()),
            ("Checkpoints", _checkpoints()),
            ("Partitions", _partitions()),
            ("Machine", _machine()),
        ],
    )
