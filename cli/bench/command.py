"""`flaneur bench`: measures the stream and the routing, with the peers in the same run."""

from __future__ import annotations

import click

from cli.bench import forecasts, graphs, maps, pages, plans, services, walks


@click.group("bench")
def command() -> None:
    """Measure how fast fixes become updates, how a killed worker recovers, how fast and well ways are found.

    stream, pipeline, latency, checkpoint, recovery, drain, gateway and tracing start a scratch broker and a
    scratch Redis and remove them at the end; the others need a graph only. Nothing that runs on this machine
    is touched, but whatever else runs here makes the figures worse.

    \b
    Examples:
      flaneur bench stream --peers confluent,kafka-streams-tuned
      flaneur bench pipeline --devices 5000 --fixes 1000000
      flaneur bench latency --json
      flaneur bench recovery --devices 100000
      flaneur bench drain --json
      flaneur bench gateway --json
      flaneur bench gateway-web --json
      flaneur bench route --graph graph --extract city.osm.pbf --json
      flaneur bench conditions --graph graph
      flaneur bench loops --graph graph
      flaneur bench score --graph .run/graph --pairs 1000
      flaneur bench match --graph .run/graph --walks 10
      flaneur bench map city.osm.pbf
      flaneur bench forecast weather.csv --time time_hour --value temp --by origin
    """


_MODULES = (services, plans, pages, graphs, walks, forecasts, maps)
for one in (one for module in _MODULES for one in module.COMMANDS):
    command.add_command(one)
