"""Options that several benchmarks have."""

from __future__ import annotations

from collections.abc import Callable

import click


def on_services(function: Callable[..., None]) -> Callable[..., None]:
    """The options of the benchmarks that start a broker."""
    for option in (
        click.option("--seed", type=int, default=1, show_default=True, help="Of the walks."),
        click.option("--graph", "graph_dir", metavar="DIR", help="Graph directory (default: GRAPH_DIR)."),
        click.option("--partitions", type=int, default=4, show_default=True, help="Of every topic."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object a line, one line a figure."),
    ):
        function = option(function)
    return function


def on_walks(function: Callable[..., None]) -> Callable[..., None]:
    """The option of the benchmarks of the stream that can walk as recorded."""
    return click.option(
        "--traces", multiple=True, metavar="PATH", type=click.Path(exists=True, dir_okay=False),
        help="Walk as recorded there, to and fro; again for more files.",
    )(function)  # fmt: skip


def on_graph(function: Callable[..., None]) -> Callable[..., None]:
    """The options of the benchmarks that need a graph only."""
    for option in (
        click.option("--seed", type=int, default=1, show_default=True, help="Of what is drawn."),
        click.option("--graph", "graph_dir", metavar="DIR", help="Graph directory (default: GRAPH_DIR)."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object a line, one line a figure."),
    ):
        function = option(function)
    return function


def names(peers: str | None) -> list[str] | None:
    """The peers that were asked for, None for all that can run."""
    if peers is None:
        return None
    return [] if peers == "none" else peers.split(",")
